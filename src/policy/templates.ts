/** Messages in an operator's own words: plain text with placeholders such as `{title}`. Pure. */
import type { Notice } from './notices.ts';

/** What a template can name. */
export const PLACEHOLDERS = ['system', 'type', 'severity', 'at', 'title', 'text', 'id', 'level', 'incident'] as const;

const PLACEHOLDER = /\{([A-Za-z]\w*)\}/g;

/** Names in braces that are none of the placeholders, each once, in order. Other braces are text. */
export function unknownPlaceholders(template: string): string[] {
  const names = [...template.matchAll(PLACEHOLDER)].map((match) => match[1] ?? '');
  return [...new Set(names)].filter((name) => !(PLACEHOLDERS as readonly string[]).includes(name));
}

/** What a notice has nothing for is left out. `escape` is told each value and returns what may stand in the channel. */
export function fillTemplate(
  template: string,
  notice: Notice,
  escape: (value: string) => string = (value) => value,
): string {
  const { facts, ...own } = notice;
  const { levelName: level, incident } = facts;
  const values: Readonly<Record<string, string | number | boolean | undefined>> = { ...own, level, incident };
  return template.replaceAll(PLACEHOLDER, (whole, name: string) => {
    if (!(PLACEHOLDERS as readonly string[]).includes(name)) return whole;
    const value = values[name];
    return value === undefined ? '' : escape(String(value));
  });
}
