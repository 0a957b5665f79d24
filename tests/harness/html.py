"""html - a strict look at one page: is it sound, what does it refer to?"""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = set(
    """area base br col embed hr img input link meta source track wbr""".split()
)
URL_ATTRIBUTES = {"href", "src", "action", "formaction", "poster", "data"}
CONTROLS = {"input", "select", "textarea"}


@dataclass
class Form:
    action: str
    enctype: str
    fields: list[tuple[str, str]] = field(default_factory=list)


class Page(HTMLParser):
    """faults lists what is wrong; the rest is what the page holds."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.urls: list[tuple[str, str]] = []  # tag, address
        self.forms: list[Form] = []
        self.blocks: list[tuple[str, str]] = []  # class and text of each <pre>
        self.frames: set[str] = set()
        self._open: list[tuple[str, dict]] = []
        self._ids: set[str] = set()
        self._targets: set[str] = set()
        self._headings: list[int] = []
        self._metas: set[str] = set()
        self.title = ""
        if not text.startswith("<!doctype html>"):
            self.faults.append("no doctype")
        self.feed(text)
        self.close()
        self._judge()

    def _judge(self):
        for tag, _ in self._open:
            self.faults.append(f"<{tag}> is not closed")
        if not self.title.strip():
            self.faults.append("no title")
        if "viewport" not in self._metas:
            self.faults.append("no viewport")
        if self._headings.count(1) != 1:
            self.faults.append(f"{self._headings.count(1)} <h1>")
        for before, after in zip(self._headings, self._headings[1:]):
            if after > before + 1:
                self.faults.append(f"<h{after}> follows <h{before}>")
        for name in self._targets - self.frames:
            self.faults.append(f"no frame {name}")
        for tag, url in self.urls:
            if url.startswith("#") and url[1:] not in self._ids:
                self.faults.append(f"no place {url}")

    def inside(self, tag: str) -> dict | None:
        """The attributes of the innermost open tag of that name."""
        found = [attrs for name, attrs in self._open if name == tag]
        return found[-1] if found else None

    # ---- what the parser calls ----

    def handle_starttag(self, tag, attributes):
        attrs = dict(attributes)
        self._look(tag, attrs)
        if len(attrs) != len(attributes):
            self.faults.append(f"<{tag}> has an attribute twice")
        if tag not in VOID:
            self._open.append((tag, attrs))
        if tag == "pre":
            self.blocks.append((attrs.get("class") or "", ""))

    def handle_startendtag(self, tag, attributes):
        if tag not in VOID and self.inside("svg") is None:
            self.faults.append(f"<{tag}/> does not close itself")
        self._look(tag, dict(attributes))

    def handle_endtag(self, tag):
        if not self._open or self._open[-1][0] != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")
        else:
            self._open.pop()

    def handle_data(self, data):
        if self.inside("title") is not None:
            self.title += data
        if self.inside("pre") is not None:
            name, text = self.blocks[-1]
            mark = "$ " if self._open[-1][0] == "kbd" else ""
            self.blocks[-1] = (name, text + mark + data)
        form, area = self.inside("form"), self.inside("textarea")
        if form is not None and area is not None:
            self.forms[-1].fields[-1] = (area["name"], data)

    # ---- one tag ----

    def _look(self, tag, attrs):
        if tag == "script" or "style" in attrs:
            self.faults.append(f"script or style in <{tag}>")
        if any(name.startswith("on") for name in attrs):
            self.faults.append(f"a handler in <{tag}>")
        if tag == "iframe":
            self.frames.add(attrs.get("name"))
        if tag in ("iframe", "img") and not (
            attrs.get("title") or attrs.get("alt")
        ):
            self.faults.append(f"<{tag}> without a name")
        if tag == "html" and not attrs.get("lang"):
            self.faults.append("no language")
        if tag in ("h1", "h2", "h3", "h4"):
            self._headings.append(int(tag[1]))
        if tag == "meta":
            self._metas.add(attrs.get("name"))
        self._look_at_names(tag, attrs)
        self._look_at_form(tag, attrs)

    def _look_at_names(self, tag, attrs):
        for name in URL_ATTRIBUTES & set(attrs):
            self.urls.append((tag, attrs[name]))
        if "target" in attrs:
            self._targets.add(attrs["target"])
        if "id" in attrs:
            if attrs["id"] in self._ids:
                self.faults.append(f"two ids {attrs['id']}")
            self._ids.add(attrs["id"])

    def _look_at_form(self, tag, attrs):
        if tag == "form":
            enctype = attrs.get("enctype")
            self.forms.append(Form(attrs["action"], enctype))
        elif tag in CONTROLS:
            if self.inside("label") is None and attrs.get("type") != "hidden":
                self.faults.append(f"<{tag}> without a label")
            name, value = attrs["name"], attrs.get("value") or ""
            self.forms[-1].fields.append((name, value))
