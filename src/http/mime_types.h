/* mime_types.h - the built-in media types: X("extensions", "type"), sorted by
 * the first extension, for people. Private to mime.c and its test. */
#ifndef PL_HTTP_MIME_TYPES_H
#define PL_HTTP_MIME_TYPES_H

#define PL_MIME_CHARSET "; charset=utf-8"
#define PL_MIME_TEXT(subtype) "text/" subtype PL_MIME_CHARSET
#define PL_MIME_OFFICE(subtype)                                                \
    "application/vnd.openxmlformats-officedocument." subtype

/* clang-format off */
#define PL_MIME_MAP(X) \
    X("3gp", "video/3gpp") \
    X("7z", "application/x-7z-compressed") \
    X("aac", "audio/aac") \
    X("ai eps ps", "application/postscript") \
    X("apng", "image/apng") \
    X("appcache", PL_MIME_TEXT("cache-manifest")) \
    X("asc conf ini log srt text txt", PL_MIME_TEXT("plain")) \
    X("atom", "application/atom+xml") \
    X("avi", "video/x-msvideo") \
    X("avif", "image/avif") \
    X("bin br", "application/octet-stream") \
    X("bmp", "image/bmp") \
    X("bz2", "application/x-bzip2") \
    X("c", PL_MIME_TEXT("x-csrc")) \
    X("cc cpp", PL_MIME_TEXT("x-c++src")) \
    X("cjs js mjs", PL_MIME_TEXT("javascript")) \
    X("crt der pem", "application/x-x509-ca-cert") \
    X("css", PL_MIME_TEXT("css")) \
    X("csv", PL_MIME_TEXT("csv")) \
    X("cur ico", "image/vnd.microsoft.icon") \
    X("deb", "application/vnd.debian.binary-package") \
    X("diff patch", PL_MIME_TEXT("x-diff")) \
    X("doc", "application/msword") \
    X("docx", PL_MIME_OFFICE("wordprocessingml.document")) \
    X("eot", "application/vnd.ms-fontobject") \
    X("epub", "application/epub+zip") \
    X("flac", "audio/flac") \
    X("flv", "video/x-flv") \
    X("geojson", "application/geo+json") \
    X("gif", "image/gif") \
    X("glb", "model/gltf-binary") \
    X("gltf", "model/gltf+json") \
    X("gpx", "application/gpx+xml") \
    X("gz tgz", "application/gzip") \
    X("h", PL_MIME_TEXT("x-chdr")) \
    X("heic", "image/heic") \
    X("heif", "image/heif") \
    X("htm html", PL_MIME_TEXT("html")) \
    X("ics", PL_MIME_TEXT("calendar")) \
    X("iso", "application/x-iso9660-image") \
    X("jar", "application/java-archive") \
    X("jpeg jpg", "image/jpeg") \
    X("json map", "application/json") \
    X("jsonld", "application/ld+json") \
    X("jxl", "image/jxl") \
    X("key", "application/pgp-keys") \
    X("kml", "application/vnd.google-earth.kml+xml") \
    X("kmz", "application/vnd.google-earth.kmz") \
    X("lua", PL_MIME_TEXT("x-lua")) \
    X("m3u8", "application/vnd.apple.mpegurl") \
    X("m4a", "audio/mp4") \
    X("m4v mp4", "video/mp4") \
    X("markdown md", PL_MIME_TEXT("markdown")) \
    X("mid midi", "audio/midi") \
    X("mkv", "video/x-matroska") \
    X("mov", "video/quicktime") \
    X("mp3", "audio/mpeg") \
    X("mpd", "application/dash+xml") \
    X("mpeg mpg", "video/mpeg") \
    X("odp", "application/vnd.oasis.opendocument.presentation") \
    X("ods", "application/vnd.oasis.opendocument.spreadsheet") \
    X("odt", "application/vnd.oasis.opendocument.text") \
    X("oga ogg opus", "audio/ogg") \
    X("ogv", "video/ogg") \
    X("otf", "font/otf") \
    X("pdf", "application/pdf") \
    X("png", "image/png") \
    X("ppt", "application/vnd.ms-powerpoint") \
    X("pptx", PL_MIME_OFFICE("presentationml.presentation")) \
    X("py", PL_MIME_TEXT("x-python")) \
    X("rar", "application/vnd.rar") \
    X("rdf", "application/rdf+xml") \
    X("rss", "application/rss+xml") \
    X("rtf", "application/rtf") \
    X("sh", PL_MIME_TEXT("x-sh")) \
    X("sql", "application/sql") \
    X("svg svgz", "image/svg+xml") \
    X("tar", "application/x-tar") \
    X("tif tiff", "image/tiff") \
    X("toml", "application/toml") \
    X("torrent", "application/x-bittorrent") \
    X("ts", "video/mp2t") \
    X("tsv", PL_MIME_TEXT("tab-separated-values")) \
    X("ttf", "font/ttf") \
    X("vcf", PL_MIME_TEXT("vcard")) \
    X("vtt", PL_MIME_TEXT("vtt")) \
    X("wasm", "application/wasm") \
    X("wav", "audio/wav") \
    X("weba", "audio/webm") \
    X("webm", "video/webm") \
    X("webmanifest", "application/manifest+json") \
    X("webp", "image/webp") \
    X("woff", "font/woff") \
    X("woff2", "font/woff2") \
    X("xhtml", "application/xhtml+xml") \
    X("xls", "application/vnd.ms-excel") \
    X("xlsx", PL_MIME_OFFICE("spreadsheetml.sheet")) \
    X("xml", "application/xml") \
    X("xsl", "application/xslt+xml") \
    X("xz", "application/x-xz") \
    X("yaml yml", "application/yaml") \
    X("zip", "application/zip") \
    X("zst", "application/zstd")
/* clang-format on */

#endif
