"""HTTP/1 by RFC 9110 and 9112: README.md in this folder."""
