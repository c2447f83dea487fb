/** A system with one plan and one store, with what a test wants to say of schedules. */
import { parseSystem } from '../../src/system/parse.ts';
import type { System } from '../../src/system/types.ts';
import { keySection } from './keys.ts';

/** These lines and keys. */
export function systemFrom(name: string, lines: readonly string[]): System {
  return parseSystem([`system: ${name}`, ...lines, keySection({ identity: true })].join('\n'), `${name}.yaml`);
}

/** `plan` and `prune`: schedules as they stand in the file. */
export function systemOf(name: string, { plan, prune }: { plan?: string; prune?: string }): System {
  return systemFrom(name, [
    'stores: { nas: { kind: directory, path: /mnt/nas } }',
    'components: { files: { kind: files, path: /srv } }',
    'plans:',
    '  daily:',
    '    components: [files]',
    '    stores: [nas]',
    ...(plan === undefined ? [] : [`    schedule: ${plan}`]),
    ...(prune === undefined ? [] : ['maintenance:', '  prune:', `    nas: ${prune}`]),
  ]);
}
