<%
-- example: answer
local phases = { new = 0, half = 0.5, full = 1 }
local lit = phases[req.args.of or "full"]
if not lit then
  return 404, "no such phase\n"
end
-- end
locals.title = "Phase"
%>
<?include top.priv.lsp ?>
<p><%= ("%d"):format(lit * 100) %> percent are lit.
