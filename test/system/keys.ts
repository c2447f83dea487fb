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

/** An example, none of which has keys of its own. */
export function exampleText(name: string): string {
  const file = new URL(`../../examples/${name}.yaml`, import.meta.url);
  return readFileSync(file, 'utf8') + keySection({ identity: true });
}
