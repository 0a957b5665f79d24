/* live.js - a page that loads itself again when the site has changed (--dev;
   live.c). Its own generation is in data-generation of the script. */
(function () {
  "use strict";
  var own = document.currentScript.dataset.generation.split(" ");
  var source = null;
  var box = null;

  function hide() {
    if (box) box.remove();
    box = null;
  }

  /* By properties: a policy of the site may forbid style attributes. */
  function show(text) {
    hide();
    box = document.createElement("pre");
    box.id = "perilune-fault";
    box.setAttribute("role", "alert");
    box.textContent = text;
    Object.assign(box.style, {
      position: "fixed", left: "0", right: "0", bottom: "0", margin: "0",
      maxHeight: "60vh", overflow: "auto", padding: "1em", zIndex: "2147483647",
      background: "#7a1020", color: "#fff", textAlign: "left",
      font: "14px/1.4 ui-monospace, monospace", whiteSpace: "pre-wrap"
    });
    document.documentElement.appendChild(box);
  }

  function open() {
    if (source) return;
    source = new EventSource("/.perilune/live");
    source.addEventListener("generation", function (event) {
      var now = event.data.split(" ");
      hide();
      if (now[0] !== own[0] || Number(now[1]) > Number(own[1]) ||
          Number(now[2] || 0) > Number(own[2] || 0))
        location.reload();
    });
    source.addEventListener("fault", function (event) { show(event.data); });
  }

  /* A browser opens few connections: only the page that is looked at has one. */
  function look() {
    if (document.visibilityState !== "hidden") return open();
    if (source) source.close();
    source = null;
  }

  document.addEventListener("visibilitychange", look);
  look();
})();
