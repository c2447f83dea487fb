/** What `tigerbeetle inspect superblock` prints, as facts. Pure. */

export interface Superblock {
  readonly cluster: bigint;
  readonly replicaCount: number;
  readonly sequence: bigint;
  readonly commitMax: bigint;
  /** The logical size of the file: a smaller file is cut off. */
  readonly storageSize: bigint;
  readonly release: string;
  readonly manifestBlocks: number;
}

/** Lines are `|||| vsr_state.replica_count=1`; each mark is one of four copies, `X` one with a wrong checksum. */
const LINE = /^([|X_]{4}) ([\w.[\]]+)=(.*)$/;

/**
 * Only values on which at least two valid copies agree, as the server itself demands. Returns the names of what is
 * missing when the output does not hold them all.
 */
export function parseSuperblock(output: string): { found: Superblock } | { missing: string[] } {
  const values = new Map<string, string>();
  for (const text of output.split('\n')) {
    const match = LINE.exec(text.trim());
    if (match === null) continue;
    const [, marks = '', name = '', value = ''] = match;
    if (marks.replaceAll(/[^|]/g, '').length >= 2) values.set(name, value.trim());
  }
  const missing: string[] = [];
  const take = (ending: string): string => {
    const name = [...values.keys()].find((key) => key === ending || key.endsWith(`.${ending}`));
    if (name === undefined) missing.push(ending);
    return name === undefined ? '0' : (values.get(name) ?? '0');
  };
  const number = (ending: string): bigint => {
    const text = take(ending);
    if (/^(0x[0-9a-f]+|\d+)$/i.test(text)) return BigInt(text);
    missing.push(ending);
    return 0n;
  };
  const found: Superblock = {
    cluster: number('cluster'),
    replicaCount: Number(number('replica_count')),
    sequence: number('sequence'),
    commitMax: number('commit_max'),
    storageSize: number('storage_size'),
    release: take('checkpoint.release'),
    manifestBlocks: Number(number('manifest_block_count')),
  };
  return missing.length === 0 ? { found } : { missing: [...new Set(missing)] };
}
