/** The section `keys` of a system file; no key of it is ever used. */
import { readFileSync } from 'node:fs';

/** `identity`: this host can read its backups. */
export function keySection({ identity = false }: { readonly identity?: boolean } = {}): string {
  return [
    '',
    'keys:',
    '  recipients:',
    `    - age1${'q'.repeat(58)}`,
    `    - age1${'p'.repeat(58)}`,
    '  chunkIdKey: { env: CHUNK_ID_KEY }',
    '  signer: { file: /etc/holdfast/signer }',
    ...(identity ? ['  identity: { file: /etc/holdfast/identity }'] : []),
    `  rootFingerprint: SHA256:${'A'.repeat(43)}`,
    '',
  ].join('\n');
}

/** Where an example's system file lies. */
export function exampleFile(name: string): URL {
  return new URL(`../../examples/${name === 'model' ? name : `${name}/${name}`}.yaml`, import.meta.url);
}

/** An example, none of which has keys of its own. */
export function exampleText(name: string): string {
  return readFileSync(exampleFile(name), 'utf8') + keySection({ identity: true });
}
