// server.go - the peer Go: its own net/http, one processor (GOMAXPROCS=1).
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
)

type message struct {
	Message string `json:"message"`
}

func hello(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, "Hello, World!")
}

func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, "Hello, "+r.URL.Query().Get("name")+"!")
}

func encode(w http.ResponseWriter, r *http.Request) {
	text, err := json.Marshal(message{"Hello, World!"})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(text)
}

func upload(w http.ResponseWriter, r *http.Request) {
	size, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprint(w, size)
}

func main() {
	files := http.FileServer(http.Dir(os.Args[2]))
	http.HandleFunc("/", hello)
	http.HandleFunc("/echo", echo)
	http.HandleFunc("/json", encode)
	http.HandleFunc("/upload", upload)
	http.Handle("/files/", http.StripPrefix("/files/", files))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
