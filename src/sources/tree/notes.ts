/** What a scan left out or could not see: counted, with a few examples, told as warnings. */
import type { ByteString } from '../byte-string.ts';
import { displayName } from '../byte-string.ts';

export type NoteKind = 'socket' | 'mount' | 'vanished' | 'young' | 'hugeXattrs' | 'noXattrs';

export interface Note {
  readonly kind: NoteKind;
  count: number;
  readonly examples: string[];
}

const EXAMPLES = 3;

const TEXTS: Readonly<Record<NoteKind, (note: Note) => string>> = {
  socket: (note) => `${note.count} sockets were left out; they mean nothing without their process`,
  mount: (note) => `${note.count} mount points were kept as empty directories; what is mounted there is not included`,
  vanished: (note) => `${note.count} files vanished while the tree was read`,
  young: (note) => `${note.count} files were left out because they are younger than the minimum age`,
  hugeXattrs: (note) => `the extended attributes of ${note.count} files are larger than 1 MiB and were left out`,
  noXattrs: () => 'extended attributes, ACLs and file capabilities were not captured',
};

export class ScanNotes {
  private readonly found = new Map<NoteKind, Note>();

  count(kind: NoteKind, path: ByteString): void {
    const note = this.found.get(kind);
    if (note === undefined) this.found.set(kind, { kind, count: 1, examples: [displayName(path)] });
    else {
      note.count += 1;
      if (note.examples.length < EXAMPLES) note.examples.push(displayName(path));
    }
  }

  /** Plain data, for the way between threads. */
  list(): Note[] {
    return [...this.found.values()];
  }
}

/** One sentence for each kind of note, with examples. */
export function warningsOf(notes: readonly Note[]): string[] {
  return notes.map((note) => `${TEXTS[note.kind](note)} (${note.examples.join(', ')})`);
}
