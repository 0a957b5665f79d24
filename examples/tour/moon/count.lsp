<?include top.priv.lsp ?>
<ol>
<%
-- example: flush
for i = 1, 5 do %>
  <li><%= i %>
<%
  flush()
  pl.sleep(0.3)
end
-- end
%>
</ol>
