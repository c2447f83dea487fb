/** HTML as a template literal: whatever is put in is escaped, unless it is HTML that was made here itself. */

export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Shown = string | number | Html | undefined | readonly Shown[];

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Safe between tags and in quoted attributes. Control characters, which HTML forbids, become a visible mark. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (mark) => ESCAPES[mark] ?? '').replace(NOT_IN_HTML, '\uFFFD');
}

// eslint-disable-next-line no-control-regex -- these are what is looked for
const NOT_IN_HTML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

/** Attributes must be quoted in the literal, and addresses in them made by `links.ts`. Undefined and empty show nothing. */
export function html(parts: TemplateStringsArray, ...values: readonly Shown[]): Html {
  return new Html(parts.map((part, index) => (index === 0 ? part : textOf(values[index - 1]) + part)).join(''));
}

function textOf(value: Shown): string {
  if (value === undefined) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'string') return escaped(value);
  if (typeof value === 'number') return String(value);
  return value.map(textOf).join('');
}

/** One after another, with something between them. */
export function joined(values: readonly Shown[], between: Shown): Html {
  return html`${values.flatMap((value, index) => (index === 0 ? [value] : [between, value]))}`;
}
