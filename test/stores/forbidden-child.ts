/** Reads an object whose rights were taken away, and prints what the store said. */
import { HoldfastError } from '../../src/failures.ts';
import { openStore } from '../../src/stores/index.ts';

const [path = '', key = ''] = process.argv.slice(2);
const noSecrets = () => Promise.reject(new Error('a directory needs no secret'));
const store = await openStore({ name: 'rights', kind: 'directory', path, mustBeMounted: false }, noSecrets);
const said = await store.get(key).catch((cause: unknown) => cause);
console.log(JSON.stringify({ code: said instanceof HoldfastError ? said.code : String(said) }));
