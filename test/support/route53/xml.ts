/** XML as Route 53 speaks it: elements and text, no attributes that matter. */

export interface Element {
  readonly name: string;
  readonly children: readonly Element[];
  readonly text: string;
}

const TOKEN = /<\?[^>]*\?>|<(\/?)([\w:]+)[^>]*?(\/?)>|([^<]+)/g;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The root element. Throws when it has no end. */
export function parseXml(xml: string): Element {
  const root = { name: '', children: [] as Element[], text: '' };
  const open: { name: string; children: Element[]; text: string }[] = [root];
  for (const [, closing, name, empty, text] of xml.matchAll(TOKEN)) {
    const at = open.at(-1);
    if (at === undefined) throw new Error('XML that ends more than it began');
    if (text !== undefined) at.text += unescaped(text);
    else if (name === undefined) continue;
    else if (closing === '/') open.pop();
    else {
      const element = { name, children: [], text: '' };
      at.children.push(element);
      if (empty !== '/') open.push(element);
    }
  }
  const [first] = root.children;
  if (first === undefined || open.length !== 1) throw new Error('XML without an end');
  return first;
}

function unescaped(text: string): string {
  return text.replaceAll(/&(#x?[0-9a-fA-F]+|\w+);/g, (whole, code: string) => {
    if (code.startsWith('#x')) return String.fromCodePoint(Number.parseInt(code.slice(2), 16));
    if (code.startsWith('#')) return String.fromCodePoint(Number(code.slice(1)));
    return ENTITIES[code] ?? whole;
  });
}

export function child(element: Element | undefined, name: string): Element | undefined {
  return element?.children.find((one) => one.name === name);
}

export function textOf(element: Element | undefined, name: string): string | undefined {
  return child(element, name)?.text.trim();
}

type Content = string | number | boolean | readonly string[];

/** An element around text, which is escaped, or around elements. */
export function xml(name: string, content: Content): string {
  const inner = Array.isArray(content) ? content.join('') : escaped(String(content));
  return `<${name}>${inner}</${name}>`;
}

/** Nothing when there is no content. */
export function optional(name: string, content: string | number | boolean | undefined): string {
  return content === undefined ? '' : xml(name, content);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
