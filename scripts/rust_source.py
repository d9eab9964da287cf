"""Reads Rust source far enough for the checks of this folder: comments, tokens, modules and the paths between them.

It knows no types and expands no macro. A path is followed through `use` and re-exports to the file that defines the item.
"""

import os
import re

# Comments and literals; what is none of them is code.
_PIECES = re.compile(
    r"""
      (?P<line>//[^\n]*)
    | (?P<block>/\*)
    | (?P<raw>\b(?:b|c|br|cr|r)\#*(?<=[r\#])")
    | (?P<text>\b[bc]?"(?:[^"\\]|\\.)*")
    | (?P<plain>"(?:[^"\\]|\\.)*")
    | (?P<char>b?'(?:[^'\\\n]|\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.))')
    """,
    re.VERBOSE | re.DOTALL,
)
_RAW = re.compile(r"""\b(?:b|c)?r(\#*)\"""")


def split(source):
    """Gives the code, with spaces for comments and the insides of literals, and the comments as (line, column, text)."""
    code = []
    comments = []
    at = 0
    line = 1
    begin_of_line = 0

    def blank(piece):
        return re.sub(r"[^\n]", " ", piece)

    while at < len(source):
        found = _PIECES.search(source, at)
        raw = _RAW.search(source, at)
        if raw and (not found or raw.start() <= found.start()):
            end = source.find('"' + raw.group(1), raw.end())
            end = len(source) if end < 0 else end + 1 + len(raw.group(1))
            start, kind = raw.start(), "raw"
        elif found:
            start, kind, end = found.start(), found.lastgroup, found.end()
            if kind == "block":
                depth, end = 1, start + 2
                while depth and end < len(source):
                    if source.startswith("/*", end):
                        depth, end = depth + 1, end + 2
                    elif source.startswith("*/", end):
                        depth, end = depth - 1, end + 2
                    else:
                        end += 1
        else:
            code.append(source[at:])
            break
        code.append(source[at:start])
        piece = source[start:end]
        between = source[at:start]
        if "\n" in between:
            line += between.count("\n")
            begin_of_line = at + between.rindex("\n") + 1
        if kind in ("line", "block"):
            comments.append((line, start - begin_of_line, piece))
            code.append(blank(piece))
        else:
            code.append('"' + blank(piece[1:-1]) + '"' if len(piece) > 1 else piece)
        if "\n" in piece:
            line += piece.count("\n")
            begin_of_line = start + piece.rindex("\n") + 1
        at = end
    return "".join(code), comments


_TOKENS = re.compile(r"r#\w+|'\w+|\w+|::|[{}()\[\];,*#!<>=$&.:@-]|\"")


class Module:
    """A module: `lines` has the line of each path that it names."""

    def __init__(self, name, parent, file):
        self.name = name
        self.parent = parent
        self.file = file
        self.children = {}
        self.items = set()
        self.uses = {}
        self.globs = []
        self.paths = []

    def root(self):
        module = self
        while module.parent:
            module = module.parent
        return module

    def top(self):
        """The module just below the root that this one is in; None for the root."""
        module = self
        while module.parent and module.parent.parent:
            module = module.parent
        return module if module.parent else None

    def ancestors(self):
        module = self.parent
        while module:
            yield module
            module = module.parent

    def path(self):
        names = [self.name]
        for module in self.ancestors():
            names.append(module.name)
        return "::".join(reversed(names))


class Crate:
    """All modules that are reached from one root file, without those that are for tests alone."""

    def __init__(self, root_file):
        self.modules = []
        self.missing = []
        self.root = Module("crate", None, root_file)
        self._read(self.root, os.path.dirname(root_file))

    def _read(self, module, folder):
        """`folder` is where the files of its children are."""
        self.modules.append(module)
        with open(module.file, encoding="utf-8") as file:
            source = file.read()
        code, _ = split(source)
        # Paths of `#[path = "…"]` are literals, which `split` has blanked; they are found by position.
        tokens = [(t.group(), t.start()) for t in _TOKENS.finditer(code)]
        _Reader(self, source, code, tokens).items(module, folder, folder)

    def resolve(self, module, segments, depth=0):
        """Gives the module that defines what the path names, or None if that is in no file of this crate, and whether it is a module itself."""
        if depth > 20 or not segments:
            return (module, True)
        first, rest = segments[0], segments[1:]
        if first == "crate":
            return self._below(module.root(), rest, depth)
        if first == "self":
            return self._below(module, rest, depth)
        if first == "super":
            return self.resolve(module.parent, ["self"] + rest, depth + 1) if module.parent else None
        if first in module.children or first in module.uses:
            return self._below(module, segments, depth)
        return None

    def _below(self, module, segments, depth):
        if depth > 20:
            return None
        if not segments:
            return (module, True)
        first, rest = segments[0], segments[1:]
        if first == "super":
            return self.resolve(module, segments, depth + 1)
        if first in module.children:
            return self._below(module.children[first][0], rest, depth + 1)
        if first in module.uses:
            target = module.uses[first]
            if target[:1] == [first] and first not in module.children:
                return None
            found = self.resolve(module, target, depth + 1)
            if found and found[1]:
                return self._below(found[0], rest, depth + 1)
            return found
        for target in module.globs:
            found = self.resolve(module, target, depth + 1)
            if found and found[1] and found[0] is not module and _has(found[0], first):
                return self._below(found[0], segments, depth + 1)
        return (module, False)


def _has(module, name):
    return name in module.children or name in module.uses or name in module.items


class _Reader:
    def __init__(self, crate, source, code, tokens):
        self.crate = crate
        self.source = source
        self.code = code
        self.tokens = tokens
        self.at = 0

    def peek(self, ahead=0):
        at = self.at + ahead
        return self.tokens[at][0] if at < len(self.tokens) else ""

    def line(self, at=None):
        at = self.at if at is None else at
        return self.code.count("\n", 0, self.tokens[at][1]) + 1 if at < len(self.tokens) else 0

    def skip_block(self):
        """Past the block or the semicolon that ends the item here."""
        depth = 0
        while self.at < len(self.tokens):
            token = self.peek()
            self.at += 1
            if token in "{([" and token:
                depth += 1
            elif token in "})]" and token:
                depth -= 1
                if depth == 0 and token == "}":
                    return
            elif token == ";" and depth == 0:
                return

    def attribute(self):
        """The text of an attribute, as it is in the source."""
        begin = self.tokens[self.at][1]
        self.at += 1
        if self.peek() == "!":
            self.at += 1
        depth = 0
        while self.at < len(self.tokens):
            token = self.peek()
            self.at += 1
            if token == "[":
                depth += 1
            elif token == "]":
                depth -= 1
                if depth == 0:
                    break
        end = self.tokens[self.at][1] if self.at < len(self.tokens) else len(self.source)
        return self.source[begin:end]

    def items(self, module, folder, path_folder):
        attributes = []
        depth = 0
        while self.at < len(self.tokens):
            token = self.peek()
            if token == "#" and self.peek(1) in ("[", "!"):
                if self.peek(1) == "!" and self.peek(2) != "[":
                    self.at += 1
                    continue
                attributes.append(self.attribute())
                continue
            if token == "{":
                depth += 1
                attributes = []
            elif token == "}":
                if depth == 0:
                    self.at += 1
                    return
                depth -= 1
            elif token == ";":
                attributes = []
            only_tests = any(re.match(r"#\s*\[\s*cfg\s*\(\s*(all\s*\(\s*)?test\b", a) for a in attributes)
            if only_tests and token not in ("pub", "(", ")", "crate", "in"):
                self.skip_block()
                attributes = []
                continue
            if token == "mod" and re.match(r"\w+$", self.peek(1)) and self.peek(2) in (";", "{"):
                self.child(module, attributes, folder, path_folder)
                attributes = []
                continue
            if token == "use" and self.peek(-1) not in ("::", ".") and self.peek(1) != "<":
                self.use(module, module_level=depth == 0)
                attributes = []
                continue
            if token == "pub" and self.peek(1) == "(":
                while self.peek() != ")":
                    self.at += 1
                self.at += 1
                continue
            if token in ("struct", "enum", "trait", "fn", "const", "static", "type", "union", "macro_rules"):
                name = self.peek(2) if token == "macro_rules" else self.peek(1)
                if depth == 0:
                    module.items.add(name)
            if re.match(r"[A-Za-z_]\w*$", token) and self.peek(1) == "::" and self.peek(-1) != "::":
                self.inline_path(module)
                continue
            self.at += 1

    def child(self, module, attributes, folder, path_folder):
        name = self.peek(1)
        inline = self.peek(2) == "{"
        self.at += 3
        if inline:
            child = Module(name, module, module.file)
            module.children.setdefault(name, []).append(child)
            self.crate.modules.append(child)
            self.items(child, os.path.join(folder, name), os.path.join(folder, name))
            return
        given = []
        default = True
        for attribute in attributes:
            path = re.search(r'\bpath\s*=\s*"([^"]*)"', attribute)
            if path:
                given.append(path.group(1))
                default = default and "cfg_attr" in attribute
        files = []
        if default:
            for file in (os.path.join(folder, name + ".rs"), os.path.join(folder, name, "mod.rs")):
                if os.path.exists(file):
                    files.append((file, os.path.join(folder, name)))
        here = os.path.dirname(module.file)
        for path in given:
            file = os.path.normpath(os.path.join(here, path))
            files.append((file, os.path.dirname(file) if file.endswith("mod.rs") else file[:-3]))
        if not files:
            self.crate.missing.append((module.file, name))
        for file, below in files:
            child = Module(name, module, file)
            module.children.setdefault(name, []).append(child)
            self.crate._read(child, below)

    def use(self, module, module_level):
        line = self.line()
        self.at += 1
        for segments, name in self.tree([]):
            if segments[-1:] == ["*"]:
                if module_level:
                    module.globs.append(segments[:-1])
                module.paths.append((segments[:-1], line, "glob"))
                continue
            if name != "_":
                # Within a function: as good as the module's own, unless that has the name already.
                module.uses.setdefault(name, segments)
            module.paths.append((segments, line, "use"))
        if self.peek() == ";":
            self.at += 1

    def tree(self, prefix):
        found = []
        segments = list(prefix)
        while self.at < len(self.tokens):
            token = self.peek()
            if token == "::":
                self.at += 1
            elif token == "{":
                self.at += 1
                while self.peek() not in ("}", ""):
                    found += self.tree(segments)
                    if self.peek() == ",":
                        self.at += 1
                self.at += 1
                return found
            elif token == "*":
                self.at += 1
                return [(segments + ["*"], "*")]
            elif token == "as":
                name = self.peek(1)
                self.at += 2
                return [(self.tidy(segments), name)]
            elif re.match(r"(r#)?\w+$", token):
                segments.append(token)
                self.at += 1
            else:
                break
        segments = self.tidy(segments)
        return [(segments, segments[-1] if segments else "_")]

    @staticmethod
    def tidy(segments):
        """`a::{self}` is `a`."""
        return segments[:-1] if len(segments) > 1 and segments[-1] == "self" else segments

    def inline_path(self, module):
        line = self.line()
        segments = [self.peek()]
        self.at += 1
        while self.peek() == "::" and re.match(r"\w+$", self.peek(1)):
            segments.append(self.peek(1))
            self.at += 2
        module.paths.append((segments, line, "path"))

