<?php
// Somebody has managed to put a script here: it answers 404.
phpinfo();
