/** An example's own system file, with what is different on one machine without a cloud. Pure. */
import { parseDocument, isMap, isScalar, visit } from 'yaml';
import type { Document } from 'yaml';

export interface Differences {
  /** Absolute; every path of the file is taken to lie below it. */
  readonly root: string;
  /** By Compose project of the file. */
  readonly projects: Readonly<Record<string, string>>;
  /** By the name of a store: what is set in it, or taken out where undefined. */
  readonly stores: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Components that this installation does not have. */
  readonly without?: readonly string[];
  /** Also set, by path in the file; taken out where undefined. */
  readonly set?: readonly { readonly at: readonly string[]; readonly value: unknown }[];
}

/** Sections whose absolute paths are places of the machine itself. */
const OF_THE_MACHINE = ['monitor', 'notify', 'escalation'];

export function differing(text: string, differences: Differences): string {
  const document = parseDocument(text);
  movePaths(document, differences.root);
  const put = (at: readonly string[], value: unknown): void => {
    if (value === undefined) document.deleteIn(at);
    else document.setIn(at, value);
  };
  for (const [store, changes] of Object.entries(differences.stores)) {
    for (const [key, value] of Object.entries(changes)) put(['stores', store, key], value);
  }
  for (const name of names(document, 'components')) {
    const project = document.getIn(['components', name, 'project']);
    if (typeof project === 'string') put(['components', name, 'project'], differences.projects[project] ?? project);
  }
  leaveOut(document, differences.without ?? []);
  for (const { at, value } of differences.set ?? []) put(at, value);
  return document.toString({ lineWidth: 120 });
}

function names(document: Document, section: string): string[] {
  const found = document.get(section);
  return isMap(found) ? found.items.map(({ key }) => String(key)) : [];
}

function movePaths(document: Document, root: string): void {
  const { contents } = document;
  if (!isMap(contents)) return;
  for (const pair of contents.items) {
    if (OF_THE_MACHINE.includes(String(pair.key))) continue;
    visit(pair.value as never, {
      Scalar(_key, node) {
        if (typeof node.value === 'string' && node.value.startsWith('/')) node.value = `${root}${node.value}`;
      },
    });
  }
}

/** A component that is not there is in no plan and nothing comes after it; a plan without components is none. */
function leaveOut(document: Document, without: readonly string[]): void {
  const rest = (list: unknown): string[] =>
    (list as { items: unknown[] }).items
      .map((item) => String(isScalar(item) ? item.value : item))
      .filter((name) => !without.includes(name));
  for (const name of without) document.deleteIn(['components', name]);
  for (const [section, key] of [['components', 'after'] as const, ['plans', 'components'] as const]) {
    for (const name of names(document, section)) {
      const list = document.getIn([section, name, key]);
      if (list === undefined) continue;
      const left = rest(list);
      if (left.length > 0) document.setIn([section, name, key], document.createNode(left, { flow: true }));
      else document.deleteIn(section === 'plans' ? [section, name] : [section, name, key]);
    }
  }
}
