<?php
// fastcgi.php - the peer in PHP behind a web server.
header('Content-Type: text/plain');
$name = $_GET['name'] ?? '';
echo $_SERVER['SCRIPT_NAME'] === '/digest'
    ? base64_encode(md5($name))
    : "Hello, $name!";
