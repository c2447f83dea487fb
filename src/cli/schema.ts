import type { Command } from 'commander';
import { addCommand, perform, type CommonOptions } from './shell.ts';

export function defineSchema(program: Command): void {
  addCommand(program, 'schema', {
    summary: 'JSON Schema of the system file, for editors',
    description:
      'Prints JSON Schema (draft 2020-12) of the system file. With the line\n' +
      '`# yaml-language-server: $schema=./holdfast.schema.json` at its top an editor completes and checks the file.',
    examples: ['schema > holdfast.schema.json'],
  }).action((options: CommonOptions) =>
    perform(options, async (shell) => {
      const { systemJsonSchema } = await import('../system/schema.ts');
      const schema = systemJsonSchema();
      shell.result(schema, () => JSON.stringify(schema, null, 2));
      return 0;
    }),
  );
}
