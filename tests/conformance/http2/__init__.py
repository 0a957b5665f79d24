"""HTTP/2 by RFC 9113 and 7541: README.md in this folder."""
