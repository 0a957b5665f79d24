<?include top.priv.lsp ?>
<table>
<%
-- example: loop
for _, body in ipairs(moons) do %>
  <tr><th><%= body.name %><td><%= body.radius %> km
<% end
-- end
%>
</table>
<p>You asked for <code><%= req.path %></code>.
