<!doctype html>
<title><%= user.name %></title>
<h1>Hello, <%= req.args.name %>!</h1>
<table>
<tr><th>name<td><%= user.name %>
<tr><th>age<td><%= user.age %>
<tr><th>in a year<td><%= user.age + 1 %>
<tr><th>phase<td><%= user.phase %>
<tr><th>home<td><%= user.home %>
</table>
<p>likes <%= user.likes[1] %> and <%= user.likes[2] %>,
<%= #user.likes %> things</p>
