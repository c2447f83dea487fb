import type { Command } from 'commander';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

export function defineGrants(program: Command): void {
  addCommand(program, 'grants <system> <component>', {
    summary: 'the least rights of a PostgreSQL component, as SQL',
    description:
      'Prints the roles and grants with which a component can be captured and restored, and no more, as a script for\n' +
      'psql. Connects to nothing and changes nothing. Takes a registered name or a path. Run it again after adding roles\n' +
      'that own something: the role that restores has to be a member of them.',
    examples: ['grants m2m-connector database', 'grants ./m2m-connector.yaml database | psql -U postgres'],
  }).action((system: string, component: string, options: CommonOptions) =>
    perform(options, (shell) => grants(shell, system, component)),
  );
}

async function grants(shell: Shell, systemName: string, name: string): Promise<ExitCode> {
  const [{ loadSystem, loadSystemFile }, { grantsOf, grantsScript }, { HoldfastError }] = await Promise.all([
    import('../system/load.ts'),
    import('../postgres/grants.ts'),
    import('../failures.ts'),
  ]);
  const system = /[/.]/.test(systemName) ? await loadSystemFile(systemName) : await loadSystem(systemName);
  const servers = system.components.filter((component) => component.kind === 'postgres');
  const found = servers.find((component) => component.name === name);
  if (found === undefined) {
    const known = servers.length === 0 ? 'none' : servers.map((component) => component.name).join(', ');
    throw new HoldfastError('BadInput', `${system.name} has no PostgreSQL component ${name}; it has ${known}`);
  }
  shell.result({ system: system.name, component: name, roles: grantsOf(found) }, () => grantsScript(found));
  return 0;
}
