<!doctype html>
<html lang="en">
<title><%= locals.title or "Moons" %></title>
<link rel="stylesheet" href="/tour.css">
<h1><%= locals.title or "Moons" %></h1>
