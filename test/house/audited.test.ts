/** Whatever destroys something or weakens protection is in the audit log: nothing is added without a decision on that. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { auditedEnd } from '../../src/policy/audited-ends.ts';
import { WORKFLOWS } from '../../src/workflows/contract.ts';
import { COMMANDS, WORKFLOWS_TOLD } from './audited.ts';
import { readText, ROOT } from './tree.ts';

const commands = createProgram().commands.flatMap((command) => {
  const parts = command.commands.map((part) => `${command.name()} ${part.name()}`);
  return parts.length > 0 ? parts : [command.name()];
});

it('every command and every workflow is in the list of what is told, and nothing else is', () => {
  expect(Object.keys(COMMANDS)).toEqual(commands.toSorted());
  expect(Object.keys(WORKFLOWS_TOLD)).toEqual(Object.values(WORKFLOWS).toSorted());
});

it('commands that tell by themselves: their files hand it over, and no others', () => {
  const handing = readdirSync(path.join(ROOT, 'src/cli')).filter((file) =>
    readText(`src/cli/${file}`).includes('await tellAudit(shell'),
  );
  const telling = Object.entries(COMMANDS).flatMap(([name, told]) =>
    'by' in told && told.by === 'itself' ? [`${name.split(' ')[0] ?? ''}.ts`] : [],
  );
  expect(handing.toSorted()).toEqual([...new Set(telling)].toSorted());
});

it('workflows that tell: they ask through the gate, or write their end down under a kind that the log takes', () => {
  const END = { outcome: 'done', stores: [{ store: 's', bad: [{ outcome: 'healed' }] }] };
  for (const [name, told] of Object.entries(WORKFLOWS_TOLD)) {
    const text = readText(`src/workflows/${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}.ts`);
    const by = [
      ...(text.includes('new Gate(') ? ['gate'] : []),
      ...(kindsIn(text).some((kind) => auditedEnd(kind, END) !== undefined) ? ['end'] : []),
    ];
    expect(by, name).toEqual('by' in told ? told.by : []);
  }
});

function kindsIn(text: string): string[] {
  return [...text.matchAll(/writeDown\(\{[^}]*kind: '(\w+)'/g)].map(([, kind = '']) => kind);
}
