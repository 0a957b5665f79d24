<?php
// The front controller: all paths that are no files come here.
$articles = [
    'first' => 'The first article, at a path of its own.',
    'second' => 'The second one. No file has that name.',
];
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);

function page(string $title, string $body, int $status = 200): void
{
    http_response_code($status);
    header('Content-Type: text/html; charset=utf-8');
    $title = htmlspecialchars($title);
    echo "<!doctype html>\n<title>$title</title>\n",
        "<link rel=\"stylesheet\" href=\"/style.css\">\n",
        "<h1>$title</h1>\n$body\n";
}

if ($path === '/') {
    $list = '';
    foreach (array_keys($articles) as $name) {
        $list .= "<li><a href=\"/articles/$name\">$name</a></li>";
    }
    page('A site of PHP', "<ul>$list</ul>");
} elseif (
    preg_match('#^/articles/([a-z]+)$#', $path, $match)
    && isset($articles[$match[1]])
) {
    page($match[1], '<p>' . htmlspecialchars($articles[$match[1]]) . '</p>');
} else {
    page('Not found', '<p>There is no such page.</p>', 404);
}
