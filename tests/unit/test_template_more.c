/* test_template_more.c - Mustache: the optional parts of the specification. */
#include "check.h"

#include "template_world.h"

/* ---- dynamic names ---- */

static const struct example dynamic[] = {
    {"basic", "\"{{>*d}}\"", "{d: content}", "\"Hello\"", "{content: 'Hello'}"},
    {"the star is no part of the name", "\"{{>*d}}\"",
     "{d: content, '*d': wrong}", "\"Hello\"",
     "{content: 'Hello', wrong: 'Invisible'}"},
    {"a miss", "\"{{>*d}}\"", "{}", "\"\"", "{d: 'Hello'}"},
    {"no such partial", "\"{{>*d}}\"", "{d: content}", "\"\"", "{x: 'Hello'}"},
    {"the context", "\"{{>*d}}\"", "{text: 'Hello', d: 'p'}", "\"*Hello*\"",
     "{p: '*{{text}}*'}"},
    {"dotted", "\"{{>*a.b.c}}\"", "{text: 'Hello', a: {b: {c: 'p'}}}",
     "\"*Hello*\"", "{p: '*{{text}}*'}"},
    {"dotted: no context of its own", "{{#s}}{{>*t.d}}{{/s}}",
     "{s: {v: 'one'}, t: {d: 'p', v: 'two'}}", "\"one\"", "{p: '\"{{v}}\"'}"},
    {"recursion", "{{>*t}}",
     "{t: node, content: X, nodes: [{content: Y, nodes: []}]}", "X<Y<>>",
     "{node: '{{content}}<{{#nodes}}{{>*t}}{{/nodes}}>'}"},
    {"not twice", "\"{{>**d}}\"", "{d: test, test: content}", "\"\"",
     "{content: 'Hello'}"},
    {"not composed", "\"{{>*foo.*bar}}\"", "{foo: fizz, bar: buzz}", "\"\"",
     "{content: 'Hello'}"},
    {"alone", ">\n  {{>*d}}\n", "{d: p}", ">\n  >\n  >\n", "{p: '>\n>\n'}"},
    {"padding", "|{{> * d }}|", "{d: p}", "|[]|", "{p: '[]'}"},
    {"a parent", "{{<*d}}{{$a}}1{{/a}}{{/*d}}", "{d: p}", "[1]",
     "{p: '[{{$a}}0{{/a}}]'}"},
};

static void test_template_more__dynamic_names(void **state)
{
    (void)state;
    RUN(dynamic);
}

/* ---- lambdas ---- */

static const struct example lambda[] = {
    {"interpolation", "Hello, {{l}}!", "{planet: world, l: &planet}",
     "Hello, world!", NULL},
    {"... by the usual delimiters", "{{= | | =}}\nHello, (|&l|)!",
     "{planet: world, l: &bars}", "Hello, (|planet| => world)!", NULL},
    {"called each time", "{{l}} == {{{l}}} == {{l}}", "{l: &count}",
     "1 == 2 == 3", NULL},
    {"escaped", "<{{l}}{{{l}}}", "{planet: '>', l: &angle}",
     "<&lt;&amp;gt;<&gt;", NULL},
    {"a section's source", "<{{#l}}{{x}}{{/l}}>", "{x: wrong, l: &raw}",
     "<yes>", NULL},
    {"expansion", "<{{#l}}-{{/l}}>", "{planet: Earth, l: &twice}", "<-Earth->",
     NULL},
    {"... by the delimiters of the section", "{{= | | =}}<|#l|-|/l|>",
     "{planet: Earth, l: &twice_bars}", "<-{{planet}} => Earth->", NULL},
    {"several", "{{#l}}a{{/l}} != {{#l}}b{{/l}}", "{planet: X, l: &twice}",
     "aXa != bXb", NULL},
    {"inverted: true", "<{{^l}}{{x}}{{/l}}>", "{x: 1, l: &raw}", "<>", NULL},
    {"in a section", "{{#list}}{{#l}}{{.}}{{/l}}{{/list}}",
     "{list: [1, 2], l: &same}", "12", NULL},
    {"alone, its source is too", "a\n{{#l}}\n  {{planet}}\n{{/l}}\nb\n",
     "{planet: x, l: &same}", "a\n  x\nb\n", NULL},
    {"indented", "  {{>p}}\n", "{l: &same}", "  1\n  2\n  (1\n2)\n",
     "{p: '{{#l}}\n1\n2\n{{/l}}\n{{#l}}(1\n2){{/l}}\n'}"},
};

static void test_template_more__lambdas(void **state)
{
    (void)state;
    RUN(lambda);
}

/* ---- inheritance ---- */

static const struct example inheritance[] = {
    {"default", "{{$t}}Default{{/t}}\n", "{}", "Default\n", NULL},
    {"default with values",
     "{{$f}}a {{b}} {{{b}}} {{#c}}{{d}}{{/c}}{{^x}}e{{/x}}{{/f}}",
     "{b: '<', c: {d: 1}}", "a &lt; < 1e", NULL},
    {"what is shown is no template", "{{$f}}{{#b}}{{c}}{{/b}}{{/f}}",
     "{b: {c: '{{q}}'}, q: 1}", "{{q}}", NULL},
    {"default of a parent", "{{<p}}{{/p}}\n", "{}", "default",
     "{p: '{{$f}}default{{/f}}'}"},
    {"an argument", "{{<p}}{{$t}}sub{{/t}}{{/p}}", "{}", "...sub...",
     "{p: '...{{$t}}Default{{/t}}...'}"},
    {"data is no argument", "{{<p}}{{$v}}in template{{/v}}{{/p}}{{<p}}{{/p}}",
     "{v: 'in data'}", "in templatein include",
     "{p: '{{$v}}in include{{/v}}'}"},
    {"twice", "{{<p}}{{$a}}1{{/a}}{{/p}} {{<p}}{{$a}}2{{/a}}{{/p}}\n", "{}",
     "|1 d| |2 d|\n", "{p: '|{{$a}}...{{/a}}{{$b}} d{{/b}}|'}"},
    {"lines", "{{<p}}{{$b}}\npeaked\n\n:(\n{{/b}}{{/p}}", "{}",
     "peaked\n\n:(\n", "{p: '{{$b}}peaking{{/b}}'}"},
    {"indentation of the block", "{{<p}}{{$n}}hammer time{{/n}}{{/p}}", "{}",
     "stop:\n  hammer time\n", "{p: 'stop:\n  {{$n}}collaborate{{/n}}\n'}"},
    {"one of two", "{{<p}}{{$b}}two{{/b}}{{/p}}", "{}", "new one, two",
     "{p: '{{$a}}new one{{/a}}, {{$b}}new two{{/b}}'}"},
    {"as a partial", "{{>p}}|{{<p}}{{/p}}", "{}", "d|d",
     "{p: '{{$f}}d{{/f}}'}"},
    {"recursion", "{{<p}}{{$f}}over{{/f}}{{/p}}", "{}",
     "over over over don-t recurse",
     "{p: '{{$f}}default{{/f}} {{$b}}{{<q}}{{/q}}{{/b}}',"
     " q: '{{$f}}q default{{/f}} {{<p}}{{$b}}don-t recurse{{/b}}{{/p}}'}"},
    {"the outermost wins", "{{<a}}{{$x}}c{{/x}}{{/a}}", "{}", "c",
     "{a: '{{<b}}{{$x}}p{{/x}}{{/b}}', b: '{{<c}}{{$x}}o{{/x}}{{/c}}',"
     " c: '{{$x}}g{{/x}}'}"},
    {"... of those that have it", "{{<a}}{{/a}}", "{}", "p",
     "{a: '{{<b}}{{$x}}p{{/x}}{{/b}}', b: '{{<c}}{{$x}}o{{/x}}{{/c}}',"
     " c: '{{$x}}g{{/x}}'}"},
    {"other text in a parent",
     "{{<p}} as {{$f}}hmm{{/f}} {{x}}{{#x}}y{{/x}} {{/p}}", "{x: 1}", "hmm",
     "{p: '{{$f}}d{{/f}}'}"},
    {"the context is the block's", "{{<p}}{{$b}}I say {{fruit}}.{{/b}}{{/p}}",
     "{fruit: apples, n: {fruit: bananas}}", "I say bananas.",
     "{p: '{{#n}}{{$b}}You say {{fruit}}.{{/b}}{{/n}}'}"},
    {"a parent alone", "Hi,\n  {{<p}}{{/p}}\n", "{}", "Hi,\n  one\n  two\n",
     "{p: 'one\ntwo\n'}"},
    {"a parent alone, in lines", "Hi,\n  {{<p}}\n  {{/p}}\n.", "{}",
     "Hi,\n  one\n  two\n.", "{p: 'one\ntwo\n'}"},
    {"a parent in a line", "a  {{<p}}{{/p}} b\n  {{<p}}{{/p}} c\n", "{}",
     "a  1\n2 b\n  1\n2 c\n", "{p: '1\n2'}"},
    {"a block alone", "{{<p}}{{$b}}\none\ntwo{{/b}}\n{{/p}}\n", "{}",
     "Hi,\n  one\n  two\n", "{p: 'Hi,\n  {{$b}}{{/b}}\n'}"},
    {"indentation is that of the block",
     "{{<p}}{{$b}}\n    one\n    two\n{{/b}}{{/p}}\n", "{}",
     "Hi,\n  one\n  two\n", "{p: 'Hi,\n  {{$b}}\n  {{/b}}\n'}"},
    {"... or of what is in it", "{{<p}}{{$b}}\none\n two\n{{/b}}{{/p}}\n", "{}",
     "Hi,\n  one\n   two\n", "{p: 'Hi,\n{{$b}}\n  default\n{{/b}}\n'}"},
    {"tags in an argument that loses its indentation",
     "{{<p}}{{$b}}\n    {{#l}}\n    <{{.}}>\n    {{/l}}\n  end\n{{/b}}{{/p}}",
     "{l: [1, 2]}", "  <1>\n  <2>\n  end\n", "{p: '{{$b}}\n  x\n{{/b}}\n'}"},
    {"defaults stand as they are", "{{>p}}", "{}", "a\n  b\n c\n",
     "{p: 'a\n{{$b}}\n  b\n c\n{{/b}}\n'}"},
    {"a block within an argument", "{{<p}}{{$b}}[{{$c}}c{{/c}}]{{/b}}{{/p}}",
     "{}", "([c])", "{p: '({{$b}}{{/b}})'}"},
    {"an argument with a block of its own name",
     "{{<p}}{{$b}}[{{$b}}c{{/b}}]{{/b}}{{/p}}", "{}", "([c])",
     "{p: '({{$b}}{{/b}})'}"},
    {"through a plain partial", "{{<p}}{{$b}}X{{/b}}{{/p}}", "{}", "<X>",
     "{p: '<{{>q}}>', q: '{{$b}}q{{/b}}'}"},
    {"no such parent", "[{{<nope}}{{$b}}X{{/b}}{{/nope}}]", "{}", "[]", "{}"},
    {"the last of a name", "{{<p}}{{$b}}1{{/b}}{{$b}}2{{/b}}{{/p}}", "{}", "2",
     "{p: '{{$b}}0{{/b}}'}"},
};

static void test_template_more__inheritance(void **state)
{
    (void)state;
    RUN(inheritance);
}

RUN_TESTS(cmocka_unit_test(test_template_more__dynamic_names),
          cmocka_unit_test(test_template_more__lambdas),
          cmocka_unit_test(test_template_more__inheritance))
