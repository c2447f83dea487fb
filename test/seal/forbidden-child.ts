/** Seals a chunk of a file that may not be read, and prints what the pool said. */
import { statSync } from 'node:fs';
import { HoldfastError } from '../../src/failures.ts';
import { createSealPool, generateAgeIdentity } from '../../src/seal/index.ts';

const path = process.argv[2] ?? '';
const { size, mtimeNs, ino } = statSync(path, { bigint: true });
const expect = { sizeBytes: Number(size), mtimeNs, inode: ino };
const recipients = [generateAgeIdentity().recipient, generateAgeIdentity().recipient];
const pool = createSealPool({ recipients, chunkIdKey: Buffer.alloc(32, 1), threads: 1 });
const piece = { kind: 'range', path, offset: 0, length: 1, expect } as const;
const said = await pool.seal({ pieces: [piece], lengthBytes: 1 }, () => true).catch((cause: unknown) => cause);
await pool.close();
const error = said instanceof HoldfastError ? said : undefined;
console.log(JSON.stringify({ code: error?.code ?? 'none', namesFile: error?.message.includes(path) ?? false }));
