-- uploads.lua - chapter: forms with files, and bodies that become files.

local pl = require "perilune"

-- example: parts
pl.post("/uploads/parts", { max_parts = 20 }, function(req)
  local lines = {}
  for part in req:parts { max_total = "1g" } do
    local bytes = 0
    for piece in part:chunks() do
      bytes = bytes + #piece
    end
    lines[#lines + 1] = ("%s: %s, %d bytes"):format(part.name,
      part.filename or "a field", bytes)
  end
  return table.concat(lines, "\n")
end)
-- end

-- example: form
pl.post("/uploads/form", { max_body = "5m" }, function(req)
  local form, err = req:form()
  if not form then
    return nil, err
  end
  local picture = form.picture
  if type(picture) ~= "table" then
    return ("%s, but no picture"):format(form.title)
  end
  return ("%s: %s, %d bytes in %s"):format(form.title or "Untitled",
    picture.filename, picture.size,
    picture.data and "memory" or "a file without a name")
end)
-- end

-- example: save
local sample = pl.env("TMPDIR", "/tmp") .. "/perilune-tour-sample"

pl.put("/uploads/sample", function(req)
  local bytes, err = req:save(sample, { max = "10m", mode = "600" })
  if not bytes then
    return nil, err
  end
  return 201, ("%d bytes kept"):format(bytes)
end)

pl.get("/uploads/sample", function(_, res)
  return res:send_file(sample)
end)
-- end

return {
  title = "Uploads",
  summary = "Forms with files of any size, in flat memory; files that are "
    .. "there as a whole or not at all.",
  sections = {
    {
      title = "Part by part",
      text = [[
<p><code>req:parts()</code> goes through <code>multipart/form-data</code> while
it arrives: a film of many gigabytes takes no more memory than a poem. What a
handler does not read of a part is passed over. <code>part.filename</code> is
safe to use as a name: without any path, whatever the client says
(<code>part.raw_filename</code>). A malformed form answers 400 by itself, too
much of it 413.</p>]],
      example = "parts",
      form = {
        action = "/uploads/parts", button = "Send",
        type = "multipart/form-data",
        fields = [[
<label>Title <input name="title" value="Sea of Tranquility"></label>
<label>Files <input type="file" name="file" multiple></label>]],
      },
      shell = [[
$ printf moon | curl -s @origin@/uploads/parts -F a=1 -F 'b=@-;filename=../x'
a: a field, 1 bytes
b: x, 4 bytes
$ curl -si @origin@/uploads/parts -d a=1
HTTP/1.1 415 Unsupported Media Type
…]],
    },
    {
      title = "As a table",
      text = [[
<p>Small forms are easier as a whole: <code>req:form()</code> gives texts as
strings and files as tables, with <code>file:text()</code>,
<code>file:chunks()</code> and <code>file:save(path)</code>. Together they may
have <code>max_body</code>. A file of more than <code>body_spool</code> (64 KiB)
goes to the disk, without a name: it is gone with the request, whatever
happens.</p>]],
      example = "form",
      form = {
        action = "/uploads/form", button = "Send",
        type = "multipart/form-data",
        fields = [[
<label>Title <input name="title" value="Earthrise"></label>
<label>Picture <input type="file" name="picture" accept="image/*"></label>]],
      },
      shell = [[
$ head -c 99999 /dev/zero | curl -s @origin@/uploads/form -F picture=@-
Untitled: -, 99999 bytes in a file without a name]],
    },
    {
      title = "Into a file",
      text = [[
<p><code>req:save(path)</code> and <code>part:save(path)</code> write beside the
target, on threads of their own, and put the file in its place at the end: who
reads it sees the old one or the new one, never a half. A client that leaves in
the middle leaves nothing behind; a full disk is a 507.</p>]],
      example = "save",
      shell = [[
$ printf 'fines and basalt' | curl -s @origin@/uploads/sample -T -
16 bytes kept
$ curl -s @origin@/uploads/sample
fines and basalt]],
    },
  },
}
