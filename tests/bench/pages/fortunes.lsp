<!doctype html><title>Fortunes</title><table><tr><th>id</th><th>message</th></tr><? for _, row in ipairs(FORTUNES) do ?><tr><td><?= row.id ?></td><td><?= row.message ?></td></tr><? end ?></table>
