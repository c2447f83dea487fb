/**
 * Include and exclude patterns of a tree, by the rules people know from .gitignore: `*` and `?` stay inside a name,
 * `**` crosses slashes, `[a-z]` is a set, `{a,b}` a choice. A pattern without a slash matches a name at any depth; one
 * with a slash counts from the tree's root. What a pattern matches counts with everything below it.
 */

export type PathMatcher = (path: string) => boolean;

/** True for relative paths (without slashes at the ends) that one of the patterns matches. */
export function matcherOf(patterns: readonly string[]): PathMatcher {
  if (patterns.length === 0) return () => false;
  const anywhere: string[] = [];
  const rooted: string[] = [];
  for (const pattern of patterns) {
    const trimmed = pattern.replace(/\/+$/, '').replace(/^\.\//, '');
    if (trimmed.includes('/')) rooted.push(source(trimmed.replace(/^\/+/, '')));
    else if (trimmed !== '') anywhere.push(source(trimmed));
  }
  const parts = [...anywhere.map((part) => `(?:.*/)?${part}`), ...rooted];
  const expression = new RegExp(`^(?:${parts.join('|')})$`, 'su');
  return (path) => expression.test(path);
}

function source(pattern: string): string {
  let out = '';
  let choices = 0;
  for (let at = 0; at < pattern.length; at += 1) {
    const mark = pattern[at] ?? '';
    if (mark === '*' && pattern[at + 1] === '*') {
      // `a/**/b` also matches `a/b`; `**` at the end matches whatever follows.
      const slash = pattern[at + 2] === '/';
      out += slash ? '(?:.*/)?' : '.*';
      at += slash ? 2 : 1;
    } else if (mark === '*') out += '[^/]*';
    else if (mark === '?') out += '[^/]';
    else if (mark === '[' && pattern.indexOf(']', at + 2) !== -1) {
      const end = pattern.indexOf(']', at + 2);
      const set = pattern.slice(at + 1, end).replace(/[\\[\]&~|]/g, '\\$&');
      out += `[${set.startsWith('!') ? `^${set.slice(1)}` : set}]`;
      at = end;
    } else if (mark === '{' && pattern.indexOf('}', at) !== -1) {
      out += '(?:';
      choices += 1;
    } else if (mark === '}' && choices > 0) {
      out += ')';
      choices -= 1;
    } else if (mark === ',' && choices > 0) out += '|';
    else if (mark === '\\' && at + 1 < pattern.length) {
      at += 1;
      out += escape(pattern[at] ?? '');
    } else out += escape(mark);
  }
  return out + ')'.repeat(choices);
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/gu, (mark) => (mark === '-' ? '\\x2d' : `\\${mark}`));
}
