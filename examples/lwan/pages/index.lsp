<!doctype html>
<title>A page</title>
<?
  local seen = {}
  for name in pairs(mg.request_info.http_headers) do
    seen[#seen + 1] = name
  end
  table.sort(seen)
?>
<p><%= mg.request_info.request_method %> with <?= #seen ?> headers:
<ul>
<? for _, name in ipairs(seen) do ?>  <li><%= name %>
<? end ?>
</ul>
