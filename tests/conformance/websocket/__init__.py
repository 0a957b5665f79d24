"""WebSocket by RFC 6455 and 7692: README.md in this folder."""
