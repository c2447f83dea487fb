import type { Command } from 'commander';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

export function defineDoctor(program: Command): void {
  addCommand(program, 'doctor [system]', {
    summary: 'check everything a backup and a restore will need',
    description:
      'Checks the system file, its secrets, the tools, Docker, every component, every store (by writing, reading and\n' +
      'removing a small object of its own), the clocks, and the engine. Says what to do about what it finds. Takes a\n' +
      'registered name or a path; without either, every registered system. Exit 1 when something fails.',
    examples: ['doctor m2m-connector', 'doctor ./m2m-connector.yaml --json'],
  }).action((system: string | undefined, options: CommonOptions) => perform(options, (shell) => doctor(shell, system)));
}

async function doctor(shell: Shell, name: string | undefined): Promise<ExitCode> {
  const [{ examine }, { table }] = await Promise.all([import('./examination.ts'), import('../observe/table.ts')]);
  const findings = await examine(name);
  const worst = findings.some(({ state }) => state === 'fail');
  shell.result({ ok: !worst, findings }, (colours) => {
    const word = { ok: colours.green('ok'), warn: colours.yellow('warn'), fail: colours.red('fail') };
    const rows = findings.map(({ state, what, detail }) => [word[state], what, detail]);
    const todo = findings.flatMap(({ state, what, doThis }) =>
      doThis === undefined ? [] : [`${word[state]} ${what}: ${doThis}`],
    );
    return [
      table(['', 'what', 'found'], rows, colours),
      ...(todo.length === 0 ? [] : ['', 'What to do:', ...todo]),
    ].join('\n');
  });
  return worst ? 1 : 0;
}
