"""What a scene is refused for and what only looks like it: names that are its own, and ways around a name."""

from __future__ import annotations

import time

import pytest

from community_pipelines.settings import ALLOWED_IMPORTS
from community_pipelines.snapshots.tsx import _parsed, examine

COMPONENT = "export default function Scene() { return null; }\n"


def rules(code: str, component: str = COMPONENT) -> list[str]:
    """The rules that the code breaks, each once, in their order."""
    found = examine("a.tsx", f"{component}{code}\n".encode(), ALLOWED_IMPORTS)
    return list(dict.fromkeys(one.rule for one in found))


# Names of the global object that these scenes declare themselves, or that stand for no value.
OWN = {
    "a parameter taken apart": "const f = ({ top, left }) => run(top, left)",
    "a parameter taken apart with a new name": "const f = ({ offsetTop: top }) => top",
    "a parameter taken apart with a default": "const f = ({ top = 1, parent: self = 2 }) => top + self",
    "a parameter of an array": "const f = ([top, [self]]) => run(top, self)",
    "a rest parameter": "function f(...frames) { return frames[0] }",
    "a parameter with a default": "const f = (top = 0) => run(top)",
    "a parameter alone": "rows.map(top => run(top))",
    "an async parameter alone": "const f = async fetch => await fetch()",
    "an optional parameter": "function f(parent?: Node) { return run(parent) }",
    "a parameter property": "class A { constructor(private top: number) { run(top) } }",
    "a method's parameter": "class A { go(frames: number[]) { return run(frames) } }",
    "a setter's parameter": "const a = { set x(top) { run(top) } }",
    "a variable of for of": "for (const top of rows) run(top)",
    "a variable of for in": "for (let top in rows) run(top)",
    "a variable of for": "for (let top = 0; top < 3; top++) run(top)",
    "a pattern of for of": "for (const [top, { parent }] of rows) run(top, parent)",
    "a caught error": "try {} catch ({ top }) { run(top) }",
    "an object taken apart": "const { a: { b: top }, ...frames } = data; run(top, frames)",
    "a var that is declared later in its function": "function f() { run(top); if (a) { for (;;) { var top = 1 } } }",
    "a function that is declared later": "run(fetch); function fetch() {}",
    "a function's own name": "const f = function fetch(n) { return n ? fetch(n - 1) : 0 }",
    "a generator": "function* frames() { yield 1 } run(frames)",
    "a class": "class Image {} new Image()",
    "a class that is used before": "run(Worker); class Worker {}",
    "an abstract class": "abstract class Audio {} run(Audio)",
    "a class's own name": "const A = class Worker { copy() { return new Worker() } }",
    "an enum": "enum top { A } run(top, top.A)",
    "an enum's member": "enum Edge { top = 1, all = top }",
    "a namespace": "namespace parent { export const a = 1 } run(parent)",
    "an import": "import { fetch } from 'remotion'; fetch('/a')",
    "an import with another name": "import { a as fetch, b as location } from 'remotion'; fetch(location)",
    "an import of all": "import * as history from 'remotion'; history.back()",
    "a default import": "import Image from 'react'; run(<Image/>)",
    "an import by require": "import process = require('react'); process.env",
    "a field": "const style = { top: 0, parent: 1, location: 2, open: 3 }",
    "a method": "const a = { fetch() {}, get location() { return 1 }, open: () => 1 }",
    "a field of a class": "class A { top = 1; fetch() {} static location = 2 }",
    "a member": "api.fetch('/a'); map.location = 1; a.open(); b.history.back(); c.document.cookie",
    "a label": "top: for (;;) break top",
    "a type": "type top = 1; interface Worker { fetch(): void; location: string }",
    "a type of a variable": "let a: typeof window, b: Worker, c: Image[] = []",
    "a type of an import": "let a: typeof import('fs')",
    "a type parameter": "function f<top>(a: top): a is top { return true }",
    "an element of HTML that is named like a global": "run(<top/>, <frames><parent/></frames>)",
    "an attribute": "run(<rect top={1} location='a' open/>)",
    "an ambient declaration": "declare global { interface Window { fetch: 1 } } declare const theirs: number",
    "a key that is computed of a constant": "run(data['constructor-like'], data['to' + 'p'])",
    "asking whether there is one": "if (typeof window !== 'undefined' && window.innerWidth > 1) run()",
    "asking for a feature": "const has = typeof fetch === 'function' && 'Worker' in window",
    "asking for a kind": "run(a instanceof Image, b.constructor === Object, c.constructor.name)",
    "what a global object may be asked for": "run(window.innerWidth, window!.devicePixelRatio, (window as any).theirs)",
    "what a document may be asked for": "document.createElement('canvas').getContext('2d'); document.fonts.ready",
    "where the page is": "run(location.search, window.location.hostname)",
    "a component of its own that is named like an element": "const Script = () => null; run(<Script/>, <Link to='/'/>)",
    "markup that is read": "run(node.innerHTML.length, props.outerHTML)",
    "a field of markup in an animation": "gsap.to(node, { innerHTML: 100 })",
    "an address": "run(<a href='https://example.org/javascript:'/>, <img src={url} srcSet='a 1x'/>)",
    "an element's form": "run(<form><input/></form>, { action: 'zoom', data: 'a' })",
    "a text about it": "run('javascript: a language', `fetch(${1})`, 'new Worker()', <b>location = 1</b>)",
    "escapes in a text": r"run('caf\u00e9', 'a\x20b', /\u0066etch/, 'line\
end')",
    "a mark of direction": "run('\u200f\u0633\u0644\u0627\u0645')",
    "an escaped reordering": r"run('\u202e')",
    "a timer": "setTimeout(go, 5); setTimeout(() => run('x' + 'y'), 5); api.setTimeout('x')",
    "a type that is imported from its own project": "import type { Props } from './types'",
    "a type that is exported from its own project": "export type { Props } from './types'",
    "variance of a type": "interface Box<in out T> { a: T }\ntype In<in T, out U> = (a: T) => U\nclass C<out T> {}",
}  # fmt: skip


@pytest.mark.parametrize("code", OWN.values(), ids=OWN.keys())
def test_what_is_its_own_or_harmless_passes(code: str) -> None:
    assert rules(code) == []


DENIED = {
    "a cast": ("network", "(window as any).fetch('/a')"),
    "a cast of a cast": ("network", "((window as unknown) as any)['fetch']('/a')"),
    "satisfies": ("network", "(window satisfies any).fetch('/a')"),
    "not null": ("network", "window!.fetch('/a')"),
    "not null of a name": ("network", "fetch!('/a')"),
    "an optional chain": ("network", "window?.fetch?.('/a')"),
    "an optional index": ("network", "window?.['fetch']('/a')"),
    "brackets": ("network", "(((window))).fetch('/a')"),
    "a comment inside": ("network", "(/* a */ window /* b */).fetch('/a')"),
    "a way around": ("network", "self.window.top.parent.frames.globalThis.fetch('/a')"),
    "a frame": ("network", "frames[0].fetch('/a')"),
    "the window of a document": ("network", "document.defaultView.fetch('/a')"),
    "the window of an element": ("network", "node.ownerDocument.defaultView!.fetch('/a')"),
    "the window of a frame": ("network", "node.contentWindow.fetch('/a')"),
    "what follows a test": ("network", "(typeof window === 'object' && window).fetch('/a')"),
    "a sum of texts": ("network", "window['fe' + 'tch']('/a')"),
    "a sum of more texts": ("network", "window['f' + ('e' + `t`) + /* c */ 'ch']('/a')"),
    "a template": ("network", "window[`fetch`]('/a')"),
    "a template of texts": ("network", "window[`f${'etc'}h`]('/a')"),
    "an escape by hex": ("network", r"window['f\x65tch']('/a')"),
    "an escape by code": ("network", r"window['\u0066\u{65}tch']('/a')"),
    "an escape by octal": ("network", r"window['\146etch']('/a')"),
    "a name that is computed": ("computed-global", "window['fetch'.trim()]('/a')"),
    "an escape of a line": ("network", "window['fet\\\nch']('/a')"),
    "an escaped name": ("escaped-identifier", r"w\u0069ndow.fetch"),
    "an escaped name by code": ("escaped-identifier", r"f\u{65}tch('/a')"),
    "an escaped member": ("escaped-identifier", r"api.f\u0065tch('/a')"),
    "an escaped name that is declared": ("escaped-identifier", r"const f\u0065tch = 1"),
    "another name": ("computed-global", "const w = window"),
    "another name by a choice": ("computed-global", "const w = a ? window : null"),
    "another name by or": ("computed-global", "const w = a || window"),
    "another name by default": ("computed-global", "const f = (w = window) => w"),
    "another name of a document": ("computed-global", "const d = document"),
    "another name of a place": ("computed-global", "const l = window.location"),
    "a document taken out": ("computed-global", "const { document: d } = window"),
    "all that is taken out": ("computed-global", "const { ...all } = window"),
    "a computed name taken out": ("computed-global", "const { [name]: a } = window"),
    "a given global": ("computed-global", "run(globalThis)"),
    "a spread global": ("computed-global", "run({ ...window })"),
    "a returned global": ("computed-global", "const f = () => self"),
    "a global in markup": ("computed-global", "run(<B a={parent}/>)"),
    "a global to be looked through": ("computed-global", "with (window) run()"),
    "a global by an import of names": ("computed-global", "import w = top.a"),
    "taken apart": ("network", "const { fetch } = window"),
    "taken apart by another name": ("network", "const { 'fetch': get = 1 } = window as any"),
    "taken apart later": ("network", "let get; ({ fetch: get } = window)"),
    "taken apart deeply": ("document-cookie", "const { document: { cookie } } = window"),
    "taken apart in a parameter": ("network", "const f = ({ fetch: get } = window) => get('/a')"),
    "taken apart by an escape": ("network", r"const { ['f\x65tch']: get } = window"),
    "outside of the block that declares it": ("network", "{ const fetch = 1 } fetch('/a')"),
    "outside of the function that declares it": ("network", "function f(fetch) {} fetch('/a')"),
    "in a default, where a body's var is not seen": ("network", "function f(a = fetch('/a')) { var fetch }"),
    "in a computed name of a method": ("network", "class A { [fetch('/a')](fetch) {} }"),
    "outside of the class expression that is called so": ("worker", "const A = class Worker {}; new Worker('/a')"),
    "outside of the function expression": ("network", "const f = function fetch() {}; fetch('/a')"),
    "outside of the loop": ("network", "for (const fetch of rows) {} fetch('/a')"),
    "outside of the catch": ("network", "try {} catch (fetch) {} fetch('/a')"),
    "outside of the switch": ("network", "switch (a) { case 1: let fetch }\nfetch('/a')"),
    "a type of that name": ("network", "type fetch = 1; fetch('/a')"),
    "an interface of that name": ("worker", "interface Worker {} new Worker('/a')"),
    "an imported type of that name": ("network", "import type { fetch } from 'remotion'; fetch('/a')"),
    "one imported type of that name": ("network", "import { type fetch } from 'remotion'; fetch('/a')"),
    "a declared constant, which is none": ("network", "declare const fetch: any; fetch('/a')"),
    "a declared function, which is none": ("network", "declare function fetch(): void; fetch('/a')"),
    "an overload without a function": ("network", "function fetch(a: string): void; fetch('/a')"),
    "a namespace of types": ("network", "namespace fetch { export type a = 1 } fetch('/a')"),
    "a beacon": ("network", "navigator.sendBeacon('/a')"),
    "a beacon of a cast": ("network", "(window.navigator as any)['sendBeacon']('/a')"),
    "a socket": ("network", "new WebSocket('/a')"),
    "a stream of events": ("network", "new window.EventSource('/a')"),
    "a request": ("network", "const r = new (XMLHttpRequest as any)()"),
    "an image": ("network", "new Image().src = '/a'"),
    "a sound": ("network", "new Audio('/a').play()"),
    "a worker": ("worker", "new Worker('/a')"),
    "a shared worker": ("worker", "new window.SharedWorker('/a')"),
    "a service worker": ("worker", "navigator.serviceWorker.register('/a')"),
    "scripts of a worker": ("worker", "importScripts('/a')"),
    "a message to the page around": ("messages", "window.parent.postMessage(1, '*')"),
    "a channel": ("messages", "new BroadcastChannel('a')"),
    "another page": ("navigation", "location = '/a'"),
    "another page of the window": ("navigation", "window.location = '/a'"),
    "another page by its address": ("navigation", "document.location.href = '/a'"),
    "another page around": ("navigation", "(top as any).location.href += '/a'"),
    "another page by a call": ("navigation", "location.assign('/a')"),
    "another page by a pattern": ("navigation", "[location.href] = ['/a']"),
    "another page by a property": ("navigation", "({ a: location.href } = b)"),
    "another page by a shorthand": ("navigation", "({ location } = b)"),
    "another page by a loop": ("navigation", "for (location.href of pages);"),
    "another window": ("navigation", "open('/a')"),
    "another window of the window": ("navigation", "window.open('/a')"),
    "another entry": ("navigation", "history.pushState(1, '', '/a')"),
    "an address that is code": ("script-address", "run(<a href='javascript:go()'/>)"),
    "an address that is code in other letters": ("script-address", "run(<a href=' JavaScript:go()'/>)"),
    "an address that is code with an entity": ("script-address", "run(<a href='java&#115;cript:go()'/>)"),
    "an address that is code with a named entity": ("script-address", "run(<a href='javascript&colon;go()'/>)"),
    "an address that is code with a hidden tab": ("script-address", "run(<a href='java\tscript:go()'/>)"),
    "an address that is code by an escape": ("script-address", r"run(<a href={'java\x73cript:go()'}/>)"),
    "an address that is code by a sum": ("script-address", "run(<a href={'java' + 'script:' + code}/>)"),
    "an address that is code by a template": ("script-address", "run(<a href={`javascript:${code}`}/>)"),
    "an address of a drawing": ("script-address", "run(<svg><a xlink:href='javascript:go()'/></svg>)"),
    "an address of a drawing as React has it": ("script-address", "run(<svg><a xlinkHref='javascript:go()'/></svg>)"),
    "an address that is animated": ("script-address", "run(<animate attributeName='href' to='javascript:go()'/>)"),
    "an address in a spread": ("script-address", "run(<a {...{ href: 'javascript:go()' }}/>)"),
    "an address that is set": ("script-address", "node.href = 'javascript:go()'"),
    "an attribute that is an address": ("script-address", "node.setAttribute('href', 'javascript:go()')"),
    "a page as an address": ("script-address", "run(<a href='data:text/html,<script>'/>)"),
    "an attribute that is code": ("dangerous-html", "node.setAttribute('onclick', 'go()')"),
    "where a form goes": ("navigation", "run(<form action='/a'/>)"),
    "where a button goes": ("navigation", "run(<button formAction='/a'/>)"),
    "a page inside": ("embedded-content", "run(<iframe src='/a'></iframe>)"),
    "a page inside from text": ("dangerous-html", "run(<B srcDoc='<script>'/>)"),
    "a page inside from text in a spread": ("dangerous-html", "run(<B {...{ srcDoc: text }}/>)"),
    "a page inside of remotion": ("embedded-content", "import { IFrame } from 'remotion'"),
    "a script": ("embedded-content", "run(<script src='/a'/>)"),
    "an object": ("embedded-content", "run(<object data='/a'/>)"),
    "an embedded thing": ("embedded-content", "run(<embed src='/a'/>)"),
    "a link": ("embedded-content", "run(<link rel='stylesheet' href='/a'/>)"),
    "a base": ("embedded-content", "run(<base href='/a'/>)"),
    "a script that is created": ("embedded-content", "document.createElement('script')"),
    "a script that is created of a sum": ("embedded-content", "document.createElement('scr' + 'ipt')"),
    "a script that is created in a namespace": ("embedded-content", "document.createElementNS(svg, 'script')"),
    "a page that React creates": ("embedded-content", "React.createElement('iframe', { src: '/a' })"),
    "markup that is set": ("dangerous-html", "ref.current.innerHTML = text"),
    "markup that is added": ("dangerous-html", "ref.current!.innerHTML += text"),
    "markup that is set by an index": ("dangerous-html", "node['inner' + 'HTML'] = text"),
    "markup that is set by a pattern": ("dangerous-html", "[node.innerHTML] = [text]"),
    "markup around": ("dangerous-html", "node.outerHTML = text"),
    "markup beside": ("dangerous-html", "node.insertAdjacentHTML('beforeend', text)"),
    "markup of a document": ("dangerous-html", "document.write(text)"),
    "lines of a document": ("dangerous-html", "window.document['writeln'](text)"),
    "markup that is parsed": ("dangerous-html", "new DOMParser()"),
    "markup of a range": ("dangerous-html", "range.createContextualFragment(text)"),
    "markup of React": ("dangerous-html", "run(<b dangerouslySetInnerHTML={{ __html: text }}/>)"),
    "markup of React by a sum": ("dangerous-html", "run(<b {...{ ['dangerously' + 'SetInnerHTML']: html }}/>)"),
    "a constructor of a constructor": ("function-constructor", "[].constructor.constructor('go()')()"),
    "a constructor by an index": ("function-constructor", "(() => 1)['constructor']('go()')"),
    "a constructor by a sum": ("function-constructor", "(() => 1)['con' + 'structor']('go()')"),
    "a constructor by an escape": ("function-constructor", r"(() => 1)['c\x6fnstructor']('go()')"),
    "a constructor that is kept": ("function-constructor", "const F = (async () => 1).constructor; F('go()')"),
    "a constructor that is called with this": ("function-constructor", "f.constructor.call(1, 'go()')"),
    "a constructor that is taken out": ("function-constructor", "const { constructor: F } = () => 1"),
    "a constructor that is a parameter": ("function-constructor", "run(({ constructor }) => constructor('go()'))"),
    "a function of a text": ("function-constructor", "window.Function('go()')"),
    "a timer with a cast text": ("string-timer", "setTimeout('go()' as any, 5)"),
    "a timer after a comment": ("string-timer", "setTimeout(/* a */ 'go()', 5)"),
    "a timer of a cast window": ("string-timer", "(window as any).setInterval('go()', 5)"),
    "a module by require": ("import-not-allowed", "import fs = require('fs')"),
    "a module by a cast require": ("import-not-allowed", "(require as any)('fs')"),
    "a module by another name of require": ("import-not-allowed", "const load = require"),
    "a module that is exported": ("import-not-allowed", "export * from './other'"),
    "a name that is exported from a module": ("import-not-allowed", "export { a } from './other'"),
    "a module with an escape in its name": ("import-not-allowed", r"import a from 'f\x73'"),
    "a module where only the names are types": ("import-not-allowed", "import { type a } from './other'"),
    "a module at another time": ("dynamic-import", "await import(/* a */ './other')"),
    "the storage of a cast": ("browser-storage", "(window as any).localStorage"),
    "the caches": ("browser-storage", "caches.open('a')"),
    "the cookies": ("document-cookie", "(document as any).cookie = 'a'"),
    "the store of cookies": ("document-cookie", "cookieStore.get('a')"),
    "the environment of a cast": ("process-env", "(process as any)['env']"),
    "a reordering in a comment": ("reordered-text", "/* \u202e } if (admin) { \u2066 */"),
    "a reordering in a text": ("reordered-text", "run('a\u2067b')"),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "code"), DENIED.values(), ids=DENIED.keys())
def test_what_reaches_outside_is_found_however_it_is_written(rule: str, code: str) -> None:
    assert rules(code) == [rule]


SCENE = """import { useCurrentFrame } from 'remotion';

export default function Scene() {
  const top = useCurrentFrame();
  const rows = [1, 2].map((row) => ({ top: top * row, row }));
  class Box<T extends number> { a?: T }
  enum Edge { top = 1, all = top }
  for (const { fetch, ...frames } of rows) { try { run(fetch?.[`a${frames}`]) } catch ({ parent }) { run(parent) } }
  return (
    <div style={{ padding: 4 }}>
      {rows.map(({ top, row }) => <p key={row} style={{ top }} {...{ href: '#' }}>{row}</p>)}
    </div>
  );
}
import w = Edge.all; namespace parent { export const self = window.innerWidth }
"""


@pytest.mark.parametrize("code", ["{" * 5 + "let top;", "{" * 5 + "var top;", SCENE[: SCENE.index("top }} {")]])
def test_where_the_whole_is_no_program_names_are_declared_as_well(code: str) -> None:
    assert _parsed(code.encode(), time.thread_time() + 60).root_node.type == "ERROR"
    assert "syntax" in rules(code, component="")


def test_a_scene_that_is_cut_off_or_lacks_a_character_has_findings_and_no_more() -> None:
    assert rules(SCENE, component="") == []
    for at in range(len(SCENE)):
        for code in (SCENE[:at], SCENE[at:], SCENE[:at] + SCENE[at + 1 :]):
            rules(code, component="")
