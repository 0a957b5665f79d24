"""docs/lua-api.md and lua/types name all that there is."""

import re

import pytest

from harness.server import TOP

TYPES = "lua/types"  # a folder
FILES_OF_TYPES = sorted((TOP / TYPES).glob("*.lua"))
DOCUMENTS = ["docs/lua-api.md", TYPES]
KINDS = "text|names|flag|flag_or_size|count|size|duration"
NAMES = """
local pl = require "perilune"
for _, part in ipairs { PARTS } do local _ = pl[part] end
for name in pairs(pl) do print("has " .. name) end
for name in pairs(pl.json) do print("has " .. name) end
"""


LIBRARY = ["docs/lua-library.md", TYPES]
PARTS = """
local pl = require "perilune"
for _, part in ipairs { "base64", "env", "escape", "hex", "log", "mime", "time",
  "url", "uuid" } do
  for name in pairs(pl[part]) do print("has " .. part .. "." .. name) end
end
if pcall(function() return pl.crypto.hash end) then
  local key = getmetatable(pl.crypto.generate_key "ed25519").__index
  local hash = getmetatable(pl.crypto.hash_new "md5").__index
  for _, part in ipairs { pl.crypto, pl.crypto.password, key, hash } do
    for name in pairs(part) do print("has crypto." .. name) end
  end
end
"""


UPLOAD = "lua/perilune/lib/upload.lua"
TEMPLATES = ["docs/templates.md", TYPES]


def text_of(document: str) -> str:
    path = TOP / document
    files = sorted(path.glob("*.lua")) if path.is_dir() else [path]
    return "\n".join(file.read_text() for file in files)


def words(document: str) -> set[str]:
    return set(re.findall(r"\w+", text_of(document)))


def rows(path: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, (TOP / path).read_text()))


def parts(feature: str) -> set[str]:
    """The fields of pl that are loaded when they are first used."""
    text = text_of(TOP / "src/lua/parts.c")
    tables = re.findall(rf"#define {feature}_PARTS\(((?:.*\\\n)*.*\n)", text)
    row = r"^    (?:PART|SITE)\((\w+), \w+, \w+\)"
    return {n for t in tables for n in re.findall(row, t, re.MULTILINE)}


def lua_list(names: set[str]) -> str:
    return ", ".join(f'"{name}"' for name in sorted(names))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_functions_of_pl(command, document):
    text = NAMES.replace("PARTS", lua_list(parts("CORE")))
    done = command("check", "site.lua", files={"site.lua": text})
    names = set(re.findall(r"has (\w+)", done.stdout))
    assert len(names) > 30 and names <= words(document)


@pytest.mark.parametrize("document", LIBRARY)
def test_functions_of_the_library(command, document):
    done = command("check", "site.lua", files={"site.lua": PARTS})
    names = set(re.findall(r"has (\S+)", done.stdout))
    known = words(document)
    missing = {name for name in names if name.split(".")[1] not in known}
    assert len(names) > 40 and not missing


@pytest.mark.parametrize("document", ["docs/http-client.md", TYPES])
def test_http_client(document):
    lib = "lua/perilune/lib/"
    kinds = rf'(\w+) = "(?:{KINDS}|any|number|fields|id|words)"'
    names = (
        rows(lib + "http.lua", kinds)
        | rows(lib + "http.lua", r"function (?:Session:|http\.)(\w+)")
        | rows(lib + "http_response.lua", r"function Response:(\w+)")
        | rows(lib + "dns.lua", kinds)
        | rows(lib + "dns.lua", r"function (?:Resolver:|dns\.)(\w+)")
    )
    assert len(names) > 40 and names <= words(document)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_fields_methods_options_and_settings(document):
    core, lib = "lua/perilune/core/", "lua/perilune/lib/"
    names = (
        rows(core + "request.lua", r"(?m)^  (\w+) = core\.req_")
        | rows(lib + "body.lua", r"function methods:(\w+)")
        | rows(UPLOAD, r"function \w+:(\w+)")
        | rows(UPLOAD, rf'(\w+) = "(?:{KINDS}|mode)"')
        | rows(core + "response.lua", r"(?m)^  (\w+) = core\.res_")
        | rows(lib + "response.lua", r"function methods:(\w+)")
        | rows(lib + "response.lua", r'(\w+) = "(?:text|flag|number)"')
        | rows(core + "web.lua", r'(\w+) = "(?:%s)"' % KINDS)
        | rows(lib + "static.lua", r'(\w+) = "(?:%s)"' % KINDS)
        | rows("src/route/settings.c", r'(?:ROW|TEXT)\("(\w+)"')
    )
    assert len(names) > 70 and names <= words(document)


@pytest.mark.parametrize("document", TEMPLATES)
def test_templates_and_markdown(document):
    lib, plugins = "lua/perilune/lib/", "lua/perilune/plugins/"
    names = (
        rows(lib + "mustache.lua", r"function mustache\.(\w+)")
        | rows(lib + "render.lua", r"response_methods:(\w+)")
        | rows(plugins + "markdown.lua", r"function markdown\.(\w+)")
        | rows(plugins + "markdown.lua", rf'(\w+) = "(?:{KINDS}|fields)"')
    )
    assert len(names) > 12 and names <= words(document)


PAGES = "lua/perilune/lib/page_names.lua"


def test_pages():
    names = rows("lua/perilune/lib/pages.lua", rf'(\w+) = "(?:{KINDS}|fields)"')
    assert len(names) > 6 and names <= words(TYPES)
    names |= rows(PAGES, r"names\.(\w+)") | rows(PAGES, r"(?m)^  (\w+) = func")
    assert len(names) > 35 and names <= words("docs/pages.md")


@pytest.mark.parametrize("document", ["docs/sql.md", TYPES])
def test_databases(document):
    path = "lua/perilune/lib/sql.lua"
    names = (
        rows(path, r"function (?:methods|of_database|Cursor):(\w+)")
        | rows(path, r"function sql\.(\w+)")
        | rows(path, rf'(\w+) = "(?:{KINDS}|any)"')
        | rows("src/lua/lib_sql.c", r'pl_lua_set_integer\(L, "(\w+)"')
    )
    assert len(names) > 40 and names <= words(document)


FILES = ["docs/lua-files.md", TYPES]
FILE_NAMES = """
local pl = require "perilune"
for name in pairs(pl.fs) do print("has " .. name) end
for name in pairs(pl.fs.path) do print("has " .. name) end
for name in pairs(pl.process) do print("has " .. name) end
"""


@pytest.mark.parametrize("document", FILES)
def test_files_and_processes(command, document):
    done = command("run", "names.lua", files={"names.lua": FILE_NAMES})
    lib = "lua/perilune/lib/"
    names = set(re.findall(r"has (\w+)", done.stdout)) | set().union(
        *(
            rows(lib + file, r"function (?:File|Watcher|Process):(\w+)")
            | rows(lib + file, rf'(\w+) = "(?:{KINDS}|number)"')
            for file in ("fs.lua", "fs_watch.lua", "process.lua")
        )
    )
    assert len(names) > 40 and names <= words(document)


EVERYTHING = """
local pl = require "perilune"
local function walk(t, prefix)
  for name, value in pairs(t) do
    print("has " .. prefix .. name)
    if type(value) == "table" and #prefix < 12 then
      walk(value, prefix .. name .. ".")
    end
  end
end
for _, part in ipairs { PARTS } do
  pcall(function() return pl[part] end) -- some need a plug-in
end
pcall(function() return pl.crypto.hash end)
walk(pl, "")
"""


def typed() -> set[str]:
    """What lua/types knows below pl, as "fs.path.join"."""
    names: set[str] = set()
    fields: list[str] = []
    for line in text_of(TYPES).splitlines():
        if line.startswith("---@class"):
            fields = []
        elif found := re.match(r"---@field (\w+)", line):
            fields.append(found[1])
        elif found := re.match(r"function pl\.([\w.:]+)\(", line):
            names.add(found[1].replace(":", "."))
        elif found := re.match(r"(?:local )?pl(?:\.([\w.]+))? = \{\}", line):
            prefix = found[1] + "." if found[1] else ""
            names |= {found[1]} | {prefix + field for field in fields}
        elif line.startswith("pl."):
            names |= set(re.findall(r"pl\.(\w+)", line.split("=")[0]))
    return names


def test_everything_has_a_type(command):
    # pl.fs_watch is how pl.fs finds the rest of itself.
    known = parts(r"\w+") - {"fs_watch"}
    text = EVERYTHING.replace("PARTS", lua_list(known))
    done = command("check", "site.lua", files={"site.lua": text})
    names = set(re.findall(r"has ([\w.]+)", done.stdout))
    assert len(known) > 15 and len(names) > 150
    assert names - typed() == set()


@pytest.mark.parametrize("path", FILES_OF_TYPES, ids=lambda path: path.name)
def test_types_are_lua(command, path):
    """Each file by itself: what it adds to is made in it."""
    assert command("run", path).returncode == 0
    listed = (TOP / TYPES / "README.md").read_text()
    assert path.read_text().startswith("---@meta ")
    assert f"`{path.name}`" in listed


def test_each_type_is_declared_once():
    """Also the names of classes and aliases are one space."""
    names = re.findall(r"(?m)^---@(?:class|alias) ([\w.]+)", text_of(TYPES))
    assert {n for n in names if names.count(n) > 1} <= {"pl"}
