/** Fills a small filesystem through a store and reports what happened. Run inside a mount namespace of its own. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../src/failures.ts';
import { openStore } from '../../src/stores/index.ts';

const path = process.argv[2] ?? '';
const noSecrets = () => Promise.reject(new Error('a directory needs no secret'));
const store = await openStore({ name: 'tiny', kind: 'directory', path, mustBeMounted: true }, noSecrets);
const large = Buffer.alloc(700 * 1024, 'x');

await store.put('first', large, { createOnly: true });
await store.put('small', Buffer.from('x'), { createOnly: true });
const full = await store.put('second', large, { createOnly: true }).catch((cause: unknown) => cause);
const leftover = await readdir(join(path, '.tmp'));
await store.delete('first');
const listed: string[] = [];
for await (const info of store.list('')) listed.push(info.key);
const afterFreeing = await store.put('second', large, { createOnly: true });
console.log(
  JSON.stringify({ full: full instanceof HoldfastError ? full.code : String(full), leftover, listed, afterFreeing }),
);
