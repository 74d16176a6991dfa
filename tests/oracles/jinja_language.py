#!/usr/bin/env python3
"""Writes tests/data/templates/language.json: small templates and what Python's jinja2 makes of them, in the environment
in which transformers renders chat templates (sandboxed, trim_blocks, lstrip_blocks, loop controls, its own tojson).

    pip install jinja2==3.1.6 && tests/oracles/jinja_language.py [--check]

--check compares instead of writing, and also renders every case of expected.json (jinja_oracle.mjs) with jinja2.
A case whose template fails in jinja2 has "error": true; the C interpreter must refuse it too."""
import json
import os
import sys

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

PATH = os.path.join(os.path.dirname(__file__), "..", "data", "templates", "language.json")

VARIABLES = {
    "text": "Hello, World", "empty": "", "spaces": "  a  b\tc \n", "uni": "Grüße, Ελλάδα — Привет 日本 😀",
    "quotes": "it's \"quoted\"\\ <b>&", "lines": "one\ntwo\r\n\nthree\n", "n": 7, "neg": -7, "zero": 0, "pi": 3.14159, "whole": 2.0, "tiny": 1e-7,
    "big": 123456789012, "yes": True, "no": False, "nothing": None, "list": [3, 1, 2], "words": ["b", "A", "c", "a"],
    "nested": [[1, [2]], [], {"k": [None, True, 1.5, "x"]}], "d": {"b": 1, "a": "two", "items": 3, "C": None},
    "people": [{"name": "Ada", "age": 36, "tags": {"x": 1}}, {"name": "bob", "age": 5, "tags": {"x": 3}},
               {"name": "Cy", "age": 36, "tags": {"x": 2}}],
    "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": None}],
}

CASES = r"""
# literals and printing
{{ 1 }} {{ -1 }} {{ +1 }} {{ 1.0 }} {{ 1.5e3 }} {{ 1e100 }} {{ 1e16 }} {{ 123456789.125 }} {{ 1e-5 }} {{ 0.0001 }}
{{ 0.1 + 0.2 }} {{ 1/3 }} {{ 100.0 }} {{ 1_000 }} {{ 0x1F }} {{ 0o17 }} {{ 0b101 }} {{ 2.50 }} {{ -0.0 }} {{ 5e-324 }}
{{ true }} {{ True }} {{ false }} {{ none }} {{ None }} {{ undefinedname }}|
{{ 'a' "b" 'c' }} {{ 'it\'s' }} {{ "tab\tnew\nline\\" }} {{ '\x41\u00e9\U0001F600\101' }} {{ '\q\z' }}

{{ [1, 'a', none, true, 1.5, [], {}] }} {{ (1,) }} {{ () }} {{ (1, 2) }} {{ 1, 2 }} {{ {'a': 1, "b": [2]} }} {{ [1,] }} {{ {'a':1,} }}
{{ [text, empty, uni, quotes, lines] }}
{{ ["it's", 'say "x"', 'both \' and "', '\t\x00\x7f\xa0é\u200b'] }}
{{ d }} {{ nested }} {{ {1: 2, none: 3, true: 4, 1.5: 5} }}
{{ whole }} {{ tiny }} {{ [whole, tiny] | tojson }} {{ 3.0e300 }} {{ 1.7976931348623157e308 }} {{ 2.2250738585072014e-308 }} {{ 9007199254740993.0 }} {{ 0.30000000000000004 }} {{ '6.02214076e23' | float }}
# arithmetic
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 // -2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 7.5 % -2 }} {{ 6 / 3 }}
{{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 2.0 ** 0.5 }} {{ 1 + 2 * 3 - 4 / 2 }} {{ (1 + 2) * 3 }}
{{ 1 + true }} {{ true + true }} {{ 3 * 'ab' }} {{ 'ab' * 2 }} {{ 'ab' * -1 }} {{ [1] * 3 }} {{ [1] + [2] }} {{ (1,) + (2,) }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ 1 // 0 }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ none + 'a' }}
{{ undefinedname + 'a' }}
{{ [1] + (2,) }}
{{ -'a' }}
{{ 'a' - 'b' }}
{{ 1 ~ 'a' ~ none ~ 1.0 ~ [1] ~ undefinedname ~ true }}
{{ 1 + 1 ~ 2 * 3 ~ 'x' }} {{ 'a' ~ 1 + 2 }}
{{ '%s is %d and %05.2f%%' % ('x', 3, 2.5) }} {{ '%s' % 'y' }} {{ '%-5s|%5s|' % ('a', 'b') }} {{ '%r' % "q" }} {{ '%x %o' % (255, 8) }}
{{ '%d' % 'x' }}
{{ '%s %s' % 'x' }}
{{ '%s' % ('x', 'y') }}
# logic and comparison
{{ 1 and 0 or 'x' }} {{ '' or 'b' }} {{ 'a' and 'b' }} {{ not '' }} {{ not not 1 }} {{ not 1 == 2 }} {{ none or undefinedname or 'z' }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 3 > 2 >= 2 == 2 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ '1' == 1 }} {{ 1 != 2 }} {{ none == false }}
{{ 'a' < 'b' }} {{ 'B' < 'a' }} {{ [1, 2] < [1, 3] }} {{ [1] == [1.0] }} {{ {'a': 1} == {'a': 1.0} }} {{ (1,) == [1] }} {{ 'é' > 'z' }}
{{ undefinedname == othername }} {{ undefinedname == none }} {{ undefinedname != 1 }}
{{ 1 < 'a' }}
{{ none < 1 }}
{{ undefinedname < 1 }}
{{ 'a' in 'cat' }} {{ 'x' not in 'cat' }} {{ 1 in [1, 2] }} {{ 'b' in d }} {{ 'z' in d }} {{ 1 in undefinedname }} {{ '' in 'a' }} {{ 1.0 in [1] }}
{{ 1 in 'a' }}
{{ 1 in 5 }}
{{ 'a' in none }}
{{ 'yes' if n > 5 else 'no' }} {{ 'only' if no }}| {{ 1 if no else 2 if no else 3 }} {{ ('a' if yes else 'b') ~ 'c' }}
{{ (1 if no).x }}
{{ not 1 in [2] }} {{ 1 not in [2] and 2 in [2] }} {{ 1 == 1 in [true] }}
# names, attributes, items, slices
{{ d.a }} {{ d['a'] }} {{ d.missing }}| {{ d['missing'] }}| {{ d.get('a') }} {{ d.get('zz') }} {{ d.get('zz', 5) }} {{ d['items'] }}
{{ d.missing.deeper }}
{{ undefinedname.x }}
{{ undefinedname['x'] }}
{{ none.x }}| {{ n.x }}| {{ text.nomethod }}|
{{ list[0] }} {{ list[-1] }} {{ list[9] }}| {{ list.0 }} {{ text[0] }} {{ text[-1] }} {{ uni[3] }} {{ text[99] }}| {{ nested[0][1][0] }} {{ nested.2.k.3 }}
{{ list[1:] }} {{ list[:-1] }} {{ list[::-1] }} {{ list[::2] }} {{ list[-2:] }} {{ list[5:] }} {{ list[2:0:-1] }} {{ list[-9:9] }} {{ (1,2,3)[1:] }}
{{ text[1:4] }} {{ text[::-1] }} {{ text[-5:] }} {{ uni[0:5] }} {{ uni[-1:] }} {{ text[10:2:-3] }} {{ empty[1:2] }}|
{{ list[::0] }}
{{ n[1:2] }}
{{ list['a':] }}
{{ messages[0].role }} {{ messages[1]['content'] }} {{ messages[-1].role }} {{ messages[5] }}| {{ people[0].tags.x }}
{{ text.upper() }} {{ text.lower().title() }} {{ 'abc'.upper().lower() }} {{ d.items is callable }} {{ text.upper is defined }}
{{ text() }}
{{ undefinedname() }}
{{ d.keys() | list }} {{ d.values() | list }} {{ d.items() | list }} {{ d | list }}
{{ d.pop('a') }}
{{ list.append(4) }}
{{ d.update({}) }}
# string methods
[{{ spaces.strip() }}] [{{ spaces.lstrip() }}] [{{ spaces.rstrip() }}] {{ 'xxaxx'.strip('x') }} {{ 'abcba'.strip('ab') }} {{ '\u00a0\u3000x\u2003'.strip() }}|
{{ 'a,b,,c'.split(',') }} {{ 'a b  c'.split() }} {{ spaces.split() }} {{ 'a,b,c'.split(',', 1) }} {{ ' a  b  c '.split(none, 1) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'abc'.split('x') }}
{{ 'a,b,c'.rsplit(',', 1) }} {{ 'a b  c'.rsplit() }} {{ ' a  b  c '.rsplit(none, 1) }} {{ 'a--b--c'.rsplit('--') }} {{ 'aaa'.rsplit('aa') }} {{ 'aaa'.split('aa') }} {{ 'a b'.split(maxsplit=0) }}
{{ 'abc'.split('') }}
{{ lines.splitlines() }} {{ lines.splitlines(true) }} {{ ''.splitlines() }} {{ 'a\x0bb\x85c\u2028d'.splitlines() }}
{{ 'hello world'.title() }} {{ "it's o'neil".title() }} {{ 'HELLO wORLD'.capitalize() }} {{ 'aBc'.swapcase() }} {{ uni.upper() }} {{ uni.lower() }} {{ 'ÀÉÎ ñ'.lower() }}
{{ text.startswith('Hell') }} {{ text.endswith('x') }} {{ text.startswith(('x', 'He')) }} {{ text.endswith(()) }} {{ ''.startswith('') }} {{ text.startswith('') }}
{{ text.startswith(1) }}
{{ 'aaa'.replace('a', 'b') }} {{ 'aaa'.replace('a', 'b', 2) }} {{ 'abc'.replace('', '-') }} {{ 'abc'.replace('', '-', 2) }} {{ 'abc'.replace('b', '') }} {{ 'x'.replace('y', 'z') }}
{{ ', '.join(['a', 'b']) }} {{ '-'.join('abc') }} {{ ''.join([]) }}|
{{ ', '.join([1]) }}
{{ 'hello'.find('l') }} {{ 'hello'.find('z') }} {{ 'hello'.rfind('l') }} {{ 'hello'.find('l', 3) }} {{ 'hello'.find('l', 0, 2) }} {{ uni.find('日') }} {{ 'hello'.index('e') }} {{ 'hello'.count('l') }} {{ 'aaaa'.count('aa') }} {{ 'abc'.count('') }} {{ 'hello'.find('') }} {{ 'abab'.rfind('ab') }}
{{ 'hello'.index('z') }}
{{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }} {{ 'abc'.partition('x') }} {{ 'abc'.rpartition('x') }} {{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('c') }} {{ 'abc'.removeprefix('x') }}
[{{ 'ab'.center(7) }}] [{{ 'ab'.center(6) }}] [{{ 'abc'.center(6) }}] [{{ 'ab'.ljust(4) }}] [{{ 'ab'.rjust(4) }}] {{ '7'.zfill(3) }} {{ '-7'.zfill(4) }} {{ 'é'.zfill(3) }}
{{ '12'.isdigit() }} {{ ''.isdigit() }} {{ 'a1'.isalnum() }} {{ 'aé'.isalpha() }} {{ ' \t'.isspace() }} {{ 'AB1'.isupper() }} {{ 'ab'.islower() }} {{ '1'.isupper() }} {{ '1.5'.isnumeric() }}
{{ [1, 2, 1].count(1) }} {{ [1, 2].index(2) }}
{{ '{} and {}'.format(1, 'b') }} {{ '{1}{0}'.format('a', 'b') }} {{ '{x}'.format(x=3) }} {{ '{{}}'.format() }} {{ '{}'.format(none) }}
{{ '{}'.format() }}
# filters: text
{{ text | upper }} {{ text | lower }} {{ "it's a-b (c) x" | title }} {{ 'HELLO wORLD' | capitalize }} [{{ spaces | trim }}] {{ 'xax' | trim('x') }} {{ 5 | upper }}|
{{ 'aXbX' | replace('X', '-') }} {{ 'aXbX' | replace('X', '-', 1) }} {{ 5 | replace('5', 'five') }}
{{ quotes | escape }} {{ quotes | e }} {{ '<a>' | safe }} {{ 1 | string ~ 'x' }} {{ [1] | string }} {{ none | string }}
{{ undefinedname | default('x') }} {{ none | default('x') }} {{ '' | default('x', true) }} {{ '' | d('x', boolean=true) }} {{ undefinedname | d }}| {{ 0 | default(5, true) }} {{ undefinedname | default(none) }} {{ d.zz | default('q') }}
{{ lines | indent }}| {{ lines | indent(2, true) }}| {{ lines | indent(2, blank=true) }}| {{ 'a\nb' | indent('> ') }}| {{ '' | indent(2, true) }}| {{ 'x' | indent(first=true) }}|
{{ '42' | int }} {{ '4.9' | int }} {{ 'x' | int }} {{ 'x' | int(5) }} {{ '0x1A' | int(0, 16) }} {{ '1f' | int(base=16) }} {{ 3.99 | int }} {{ -3.99 | int }} {{ ' 7 ' | int }} {{ true | int }} {{ none | int }} {{ [] | int }}
{{ '1.5' | float }} {{ 'x' | float }} {{ 'x' | float(2) }} {{ 3 | float }} {{ '1e3' | float }} {{ none | float }}
{{ -5 | abs }} {{ neg | abs }} {{ -1.5 | abs }} {{ 2.5 | round }} {{ 3.5 | round }} {{ 2.675 | round(2) }} {{ 3.14159 | round(3) }} {{ 2.1 | round(0, 'ceil') }} {{ 2.9 | round(method='floor') }} {{ 5 | round }} {{ 1234.5 | round(-2) }} {{ 2.25 | round(1) }}
{{ 'foo bar baz' | truncate(9) }} {{ 'foo bar baz qux' | truncate(9) }} {{ 'foo bar baz qux' | truncate(9, true) }} {{ 'foo bar baz qux' | truncate(11, false, '..', 0) }}
[{{ 'x' | center(5) }}] {{ '%s-%s' | format('a', 1) }}
{{ text | nosuchfilter }}
{{ text | upper(1) }}
{{ text | replace('x') }}
# filters: JSON
{{ d | tojson }} {{ nested | tojson }} {{ quotes | tojson }} {{ uni | tojson }} {{ lines | tojson }} {{ 'é\x00\x1f\x7f\u2028/' | tojson }}
{{ d | tojson(indent=2) }} {{ [] | tojson(indent=2) }} {{ {} | tojson(indent=4) }} {{ nested | tojson(indent=1) }} {{ [1, [2, {}]] | tojson(indent=0) }}
{{ uni | tojson(ensure_ascii=true) }} {{ {'b': 1, 'a': {'d': 1, 'c': 2}} | tojson(sort_keys=true) }} {{ [1, {'a': 2}] | tojson(separators=(',', ':')) }} {{ [1, 2] | tojson(indent=2, separators=(', ', ': ')) }}
{{ 1 | tojson }} {{ 1.0 | tojson }} {{ none | tojson }} {{ true | tojson }} {{ 'x' | tojson }} {{ (1, 2) | tojson }} {{ {1: 2, none: 3, true: 4} | tojson }} {{ 1e20 | tojson }} {{ 1.5e-7 | tojson }} {{ big | tojson }}
{{ undefinedname | tojson }}
{{ range | tojson }}
# filters: sequences
{{ list | length }} {{ text | length }} {{ uni | length }} {{ d | count }} {{ undefinedname | length }} {{ list | first }} {{ list | last }} {{ text | first }} {{ uni | last }} {{ [] | first }}| {{ '' | last }}| {{ d | first }}
{{ 5 | length }}
{{ none | length }}
{{ none | first }}
{{ 'abc' | list }} {{ d | list }} {{ (1, 2) | list }} {{ range(3) | list }} {{ undefinedname | list }}
{{ none | list }}
{{ list | join }} {{ list | join(', ') }} {{ people | join(',', attribute='name') }} {{ 'abc' | join('-') }} {{ [none, true, 1.5] | join('|') }} {{ d | join(',') }} {{ undefinedname | join }}| {{ list | join(1) }}
{{ list | sort }} {{ words | sort }} {{ words | sort(case_sensitive=true) }} {{ list | sort(reverse=true) }} {{ people | sort(attribute='age') | map(attribute='name') | join(',') }} {{ people | sort(attribute='tags.x', reverse=true) | map(attribute='name') | join(',') }} {{ 'cab' | sort }} {{ d | sort }}
{{ [1, 'a'] | sort }}
{{ list | reverse | list }} {{ text | reverse }} {{ uni | reverse }} {{ range(3) | reverse | list }}
{{ [1, 2, 1, 'a', 'A', 'a'] | unique | list }} {{ ['a', 'A'] | unique(case_sensitive=true) | list }} {{ people | unique(attribute='age') | map(attribute='name') | list }}
{{ d | items | list }} {{ undefinedname | items | list }}
{{ 5 | items | list }}
{{ {'b': 1, 'A': 3, 'c': 2} | dictsort }} {{ {'b': 1, 'A': 3, 'c': 2} | dictsort(by='value') }} {{ {'b': 1, 'A': 3, 'c': 2} | dictsort(true) }} {{ {'b': 1, 'A': 3} | dictsort(reverse=true) }}
{{ list | sum }} {{ people | sum(attribute='age') }} {{ [0.5, 1] | sum(start=10) }} {{ list | min }} {{ list | max }} {{ words | max }} {{ words | min(case_sensitive=true) }} {{ (people | max(attribute='age')).name }} {{ [] | min }}|
{{ [1, 2, 3, 4, 5] | batch(2) | list }} {{ [1, 2, 3] | batch(2, 'x') | list }}
{{ people | map(attribute='name') | list }} {{ people | map(attribute='zz', default='q') | list }} {{ words | map('upper') | list }} {{ list | map('string') | join('+') }} {{ ['a b', 'c'] | map('replace', ' ', '_') | list }} {{ people | map(attribute='tags.x') | list }} {{ nested | map('length') | list }}
{{ list | select('odd') | list }} {{ list | reject('gt', 1) | list }} {{ [0, 1, '', 'a', none] | select | list }} {{ [0, 1] | reject | list }} {{ list | select('in', [1, 2]) | list }} {{ list | select('==', 2) | list }} {{ [1, none] | select('none') | list }}
{{ people | selectattr('age', 'gt', 10) | map(attribute='name') | list }} {{ people | rejectattr('age', 'equalto', 36) | map(attribute='name') | list }} {{ people | selectattr('zz') | list }} {{ people | selectattr('zz', 'undefined') | list | length }} {{ people | selectattr('tags.x', 'in', [1, 2]) | map(attribute='name') | list }} {{ messages | selectattr('role', '==', 'user') | list | length }} {{ messages | selectattr('content', 'defined') | list | length }}
{{ list | map | list }}
{{ list | map('nosuch') | list }}
{{ list | select('nosuch') | list }}
{{ d | attr('zz') }}|
# tests
{{ n is defined }} {{ undefinedname is defined }} {{ undefinedname is undefined }} {{ d.zz is defined }} {{ none is none }} {{ n is not none }} {{ nothing is defined }} {{ d.zz is not defined }}
{{ n is number }} {{ pi is number }} {{ yes is number }} {{ yes is integer }} {{ n is integer }} {{ pi is float }} {{ n is float }} {{ text is string }} {{ n is string }} {{ yes is boolean }} {{ n is boolean }} {{ yes is true }} {{ no is false }} {{ n is true }} {{ 1 is true }}
{{ d is mapping }} {{ list is mapping }} {{ list is sequence }} {{ text is sequence }} {{ d is sequence }} {{ n is sequence }} {{ list is iterable }} {{ text is iterable }} {{ d is iterable }} {{ none is iterable }} {{ n is iterable }} {{ undefinedname is iterable }} {{ (1,) is sequence }}
{{ n is odd }} {{ n is even }} {{ neg is odd }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ n is eq 7 }} {{ n is equalto(7) }} {{ n is ne 7 }} {{ n is lt 8 }} {{ n is le(7) }} {{ n is gt 7 }} {{ n is ge 7 }} {{ n is greaterthan 3 }} {{ n is lessthan 3 }} {{ n is in [7] }} {{ 'a' is in 'cat' }} {{ n is sameas n }} {{ none is sameas none }}
{{ 'abc' is lower }} {{ 'ABC' is upper }} {{ 'Abc' is upper }} {{ range is callable }} {{ text is callable }} {{ 'upper' is filter }} {{ 'nosuch' is filter }} {{ 'odd' is test }}
{{ n is defined and n is odd }} {{ n is not even or false }} {{ not n is odd }} {{ n is odd == true }} {{ (n is odd) == true }} {{ 1 + 1 is odd }} {{ 'x' if n is defined else 'y' }} {{ n|abs is odd }} {{ n is odd | string }}
{{ n is nosuchtest }}
{{ 'a' is odd }}
# white space
  {% if yes %}
    a
  {% endif %}
b
|  {%- if yes -%}  a  {%- endif -%}  |
|  {%+ if yes +%}  a  {%+ endif %}  |
x {# comment #} y
x {#- comment -#} y
  {# a line #}
z
{{- ' a ' -}}   b   {{- 'c' }}
  {{ 'indented' }}
{% if yes %}a{% endif %}
{% if yes %}b{% endif +%}
c
a{% raw %}{{ not }} {% evaluated %}{% endraw %}b
a {%- raw -%}  {{ x }}  {%- endraw -%} b
{% set x = 1 %}{{ x }}
 {%- for x in list %}
 {{ x }}
 {%- endfor %} end
a\n{{ 'b' }}\n
{{ '{{' }} {{ '}}' }} {{ "{% x %}" }} {{ {'a': {'b': 1}}['a']['b'] }} {{ {'a': {}}}}
{% if yes %}	{% endif %}|
	{% if yes %}tab{% endif %}	
a{% if yes %}

b{% endif %}
# statements
{% if no %}a{% elif n > 5 %}b{% else %}c{% endif %}{% if undefinedname %}x{% else %}y{% endif %}{% if nothing is none and not no %}z{% endif %}
{% if no %}a{% elif no %}b{% elif no %}c{% else %}{% if yes %}d{% endif %}{% endif %}
{% for x in list %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }}{{ x }};{% endfor %}
{% for x in list %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {{ loop.previtem is defined }};{% endfor %}
{% for x in list %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }}{{ loop.depth }} {% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }},{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for k, v in d | dictsort %}{{ k }}{% endfor %}{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for c in 'aé😀' %}[{{ c }}]{% endfor %}{% for x in undefinedname %}x{% else %}none{% endfor %}{% for x in [] %}x{% else %}empty{% endfor %}{% for x in list %}x{% else %}no{% endfor %}
{% for x in list if x > 1 %}{{ loop.index }}:{{ x }}/{{ loop.length }} {% endfor %}{% for x in list if x > 9 %}{% else %}nothing{% endfor %}{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}
{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for a in [1, 2] %}{% for b in [1, 2, 3] %}{% if b == 2 %}{% break %}{% endif %}{{ a }}{{ b }}{{ loop.index }} {% endfor %}{{ loop.index }};{% endfor %}
{% for x in none %}{% endfor %}
{% for x in 5 %}{% endfor %}
{% for a, b in [1] %}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% set x = 1 %}{% for i in list %}{% set x = x + i %}{{ x }},{% endfor %}{{ x }}
{% set ns = namespace(x=1, y='a') %}{% for i in list %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}{{ ns.y }}{{ ns.zz }}|{% set ns.new = 5 %}{{ ns.new }}{{ ns['x'] }}
{% set x.y = 1 %}
{% set d.zz = 1 %}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (c, e) = [3, 4] %}{{ c }}{{ e }}{% set t = 1, 2 %}{{ t }}{% set u = 'a', %}{{ u }}
{% set a, b = [1] %}
{% set x %}block {{ n }}{% endset %}[{{ x }}]{% set y | upper | trim %} abc {% endset %}[{{ y }}]{% set z %}{% endset %}[{{ z }}]{{ x is string }}
{% if yes %}{% set q = 'in if' %}{% endif %}{{ q }}{% for i in [1] %}{% set w = 1 %}{% endfor %}{{ w }}|
{% filter upper %}abc {{ text }}{% endfilter %}{% filter replace('a', 'b') | upper %}aaa{% endfilter %}
{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}|{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q }}|
{% generation %}x{{ n }}{% endgeneration %}y
{% macro m(a, b=2, c='z') %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(1, c='q') }}{{ m(a=5, b=6) }}{{ m() }}{{ m(*[7, 8]) }}{{ m(**{'a': 9}) }}
{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{% endmacro %}{{ m(zz=2) }}
{% macro m(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}{{ m(1) }}
{% macro m(x) %}{{ outer }}{{ x }}{% endmacro %}{% set outer = 'late' %}{{ m(1) }}{% for outer in [5] %}{{ m(2) }}{% endfor %}
{% macro f(x) %}{% if x > 0 %}{{ x }},{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(5) }}
{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}
{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}body {{ n }}{% endcall %}
{% macro m(items) %}{% for i in items %}{{ caller(i) }}{% endfor %}{% endmacro %}{% call(x) m(list) %}[{{ x }}]{% endcall %}{% call(x, y='d') m(list) %}{{ x }}{{ y }}{% endcall %}
{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}{% call m() %}{% endcall %}
{% macro m() %}  trimmed  {% endmacro %}[{{ m() | trim }}]{{ m() | length }}{% set x = m() %}[{{ x }}]
{% for x in [1, [2, [3]]] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{{ loop.depth }}{% endif %}{% endfor %}
{{ range(5) | list }} {{ range(2, 5) | list }} {{ range(5, 0, -2) | list }} {{ range(0) | list }} {{ range(3)[1] }} {{ range(3) | length }}
{{ dict(a=1, b='x') }} {{ dict({'a': 1}, b=2) }} {{ dict([('a', 1)]) }} {{ dict() }}
{{ namespace(a=1).a }} {{ namespace({'q': 5}).q }}
{{ raise_exception('no') }}
{% if n == 7 %}{{ raise_exception('seven') }}{% endif %}
# syntax errors
{% if yes %}
{% endif %}
{% for x in list %}{% endif %}
{{ 1 +
{{ 1 + }}
{{ }}
{{ (1 }}
{{ [1, 2 }}
{% unknown %}
{% if %}{% endif %}
{% for x %}{% endfor %}
{{ 'unterminated }}
{# unterminated
{% raw %} unterminated
{% set 1 = 2 %}
{% set true = 2 %}
{{ a b }}
{{ 1 }
{% macro %}{% endmacro %}
{% else %}
{{ x | }}
{{ x is }}
{{ x. }}
{{ f(a=1, 2) }}
{{ 1 if }}
{{ @ }}
{% break %}
{% include 'x' %}
{% extends 'x' %}
{% import 'x' as y %}
{% do x %}
"""


class Generation(Extension):
    """transformers marks the assistant's part with this tag; it only renders its body."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.Scope(body).set_lineno(line)


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, Generation])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    return env


def cases():
    """One a line; lines that belong together are those between which a block stays open."""
    for line in CASES.strip().split("\n"):
        if line.startswith("# "):
            group = line[2:]
        elif line:
            yield group, line


MULTILINE = [
    "  {% if yes %}\n    a\n  {% endif %}\nb\n",
    "{% for m in messages %}\n  {{ m.role }}\n  {%- if not loop.last %}\n  ,\n  {% endif %}\n{% endfor %}\nend",
    "a\n\n{% if yes %}\n\nb\n{% endif %}\n\n",
    "a  \n  {#- c -#}  \n  b\n", "x\r\ny\rz\r\n{% if yes %}\r\n  q\r\n{% endif %}\r\n",
    "  {# a line #}\nz\n   {# b #} y\n", "{% if yes %}a{% endif %}\n{% if yes %}b{% endif +%}\nc\n\n",
    " {%- for x in list %}\n {{ x }}\n {%- endfor %} end", "{%- if yes %}\n\n  a\n\n{%- endif %}\n  b",
    "a {%+ if yes %}\n  b {%+ endif %}\n", "   {%+ if yes %}x{% endif %}", "{{ 'line \\\njoined' }}", "\n\n{{ 1 }}\n\n",
    "{% raw %}\n a {{ b }}\n  {% endraw %}\nc", "x\n  {%- raw %}\n a {% endraw -%}\n c", "{% set x -%}\n  a\n{%- endset %}[{{ x }}]",
    "{{\n  text\n  |\n  upper\n}}", "{% if\n yes\n%}a{% endif\n%}", "{%- set a = [\n  1,\n  2,\n] -%}\n{{ a }}",
    "{% macro m() -%}\n  a\n{%- endmacro %}\n[{{ m() }}]", "", "\n", "{", "{ {", "}} %}", "{{ 1 }}{", "a\u00a0{%- if yes %}b{% endif %}",
    "a\n\u00a0{% if yes %}b{% endif %}", "{{ text }}\n{# c #}\n{{ n }}\n",
]


def render(env, template):
    try:
        return {"text": env.from_string(template).render(**VARIABLES)}
    except Exception:  # a template may fail with any exception of Python
        return {"error": True}


def check_published(env):
    """Both oracles must agree on the templates of published style."""
    data = os.path.join(os.path.dirname(__file__), "..", "data")
    with open(os.path.join(data, "templates", "expected.json"), encoding="utf-8") as f:
        expected = json.load(f)
    for case in expected["cases"]:
        name = case["template"]
        if name.startswith("real_llm/"):
            with open(os.path.join(data, name, "model.json"), encoding="utf-8") as f:
                source = json.load(f)["chat_template"]
        else:
            with open(os.path.join(data, "templates", name + ".jinja"), encoding="utf-8", newline="") as f:
                source = f.read()
        try:
            text, error = env.from_string(source).render(**json.loads(expected["inputs"][case["input"]])), None
        except jinja2.exceptions.TemplateError as failure:
            text, error = None, str(failure)
        if text != case.get("text") or error != case.get("error"):
            sys.exit(f"{name} with {case['input']}: jinja2 and the other oracle disagree")


def main():
    env = environment()
    rows = [dict(template=t, **render(env, t)) for _, t in cases()]
    rows += [dict(template=t, **render(env, t)) for t in MULTILINE]
    text = json.dumps({"variables": json.dumps(VARIABLES, ensure_ascii=False), "cases": rows}, ensure_ascii=False, indent=1) + "\n"
    if "--check" in sys.argv[1:]:
        with open(PATH, encoding="utf-8", newline="") as f:
            if f.read() != text:
                sys.exit("tests/data/templates/language.json is not what this script writes")
        check_published(env)
        return
    with open(PATH, "w", encoding="utf-8", newline="") as f:
        f.write(text)


if __name__ == "__main__":
    main()
