/** What the trusted manifests of a vault say must be stored, for millions of objects: about 80 bytes each. */
import { IdTable, type Stored } from '../id-table.ts';
import { objectKey, parseObjectKey, type Room } from '../names.ts';

const ROOMS = ['chunks', 'lists', 'sums'] as const satisfies readonly Room[];
export class ExpectedObjects {
  private readonly tables: Record<Room, IdTable> = { chunks: new IdTable(), lists: new IdTable(), sums: new IdTable() };
  /** An object that was stored again has other bytes than the first time: each backup names what it stored. */
  private readonly others = new Map<string, Stored[]>();
  private readonly seen = new Set<string>();

  add(key: string, stored: Stored): void {
    const object = parseObjectKey(key);
    if (object === undefined) return;
    const id = Buffer.from(object.id, 'hex');
    const there = this.tables[object.room].find(id);
    if (there === undefined) this.tables[object.room].set(id, stored);
    else if (there.sizeBytes !== stored.sizeBytes || there.sha256 !== stored.sha256) this.addOther(key, stored);
  }

  /** Any of these is good. Empty when no backup names it. */
  find(key: string): readonly Stored[] {
    const object = parseObjectKey(key);
    if (object === undefined) return [];
    const first = this.tables[object.room].find(Buffer.from(object.id, 'hex'));
    return first === undefined ? [] : [first, ...(this.others.get(key) ?? [])];
  }

  /** Keys of a part that are expected, in no order. */
  *inPart(part: number): Generator<string> {
    for (const room of ROOMS) {
      for (const id of this.tables[room].ids(part)) yield objectKey(room, id.toString('hex'));
    }
  }

  get size(): number {
    return ROOMS.reduce((sum, room) => sum + this.tables[room].size, 0);
  }

  private addOther(key: string, stored: Stored): void {
    const mark = `${key} ${stored.sizeBytes} ${stored.sha256 ?? ''}`;
    if (this.seen.has(mark)) return;
    this.seen.add(mark);
    this.others.set(key, [...(this.others.get(key) ?? []), stored]);
  }
}
