/** Which page an address is, rendered from what is known. Pure. */
import type { Knowledge } from './facts.ts';
import type { Html } from './html.ts';
import { backupPage } from './views/backup.ts';
import { layout, type Frame } from './views/layout.ts';
import { overview } from './views/overview.ts';
import { notFound } from './views/plain.ts';
import { systemPage } from './views/system.ts';

export interface Rendered {
  readonly status: 200 | 404;
  readonly page: Html;
}

type Given = Omit<Frame, 'title' | 'path'>;

/** `segments` of the path, decoded. */
export function renderPage(segments: readonly string[], path: string, knowledge: Knowledge, given: Given): Rendered {
  const { nowMs } = given;
  const found = (title: string, main: Html): Rendered => ({
    status: 200,
    page: layout({ ...given, title: `${title} · Holdfast`, path }, main, knowledge),
  });
  const [first, name, second, id] = segments;
  if (segments.length === 0) return found('Overview', overview(knowledge, nowMs));
  const facts = first === 'systems' ? knowledge.systems.find((one) => one.name === name) : undefined;
  if (facts !== undefined && segments.length === 2) return found(facts.name, systemPage(facts, knowledge, nowMs));
  const backup = facts?.backups.find(({ entry }) => entry.body.id === id);
  if (facts !== undefined && backup !== undefined && second === 'backups' && segments.length === 4) {
    return found(`Backup ${backup.entry.body.id} of ${facts.name}`, backupPage(facts.name, backup, nowMs));
  }
  const what =
    knowledge.lookedAtMs === undefined
      ? 'The stores are being looked at; try again in a moment.'
      : 'No such page. A backup that was pruned has none any more.';
  return { status: 404, page: layout({ ...given, title: 'Not there · Holdfast', path }, notFound(what), knowledge) };
}
