/** `git` of a plan: its text configuration is also committed to a git repository. */
import { z } from 'zod';
import { absolutePath, patterns } from './schema-parts.ts';

const BRANCH = 'main';

export const gitSchema = z
  .strictObject({
    repository: absolutePath('A bare git repository on the host; made when it is not there.'),
    branch: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'write a branch name of a-z, 0-9, dot, dash and underscore')
      .describe(`One for each environment. Default ${BRANCH}.`)
      .optional(),
    include: patterns(
      'Which files, relative to each component. Everything else stays out, and so does what looks like a secret.',
    ).min(1, 'name at least one pattern'),
    exclude: patterns('All but these.').optional(),
    variables: z
      .array(
        z.string().regex(/^[A-Z_][A-Z0-9_]*\*?$/, 'write a name such as MY_APP_URL, or a beginning such as MY_APP_*'),
      )
      .describe(
        'Environment variables of the worker that are written down too. Those whose name or value looks like a secret are only named.',
      )
      .optional(),
    remote: z
      .string()
      .regex(
        /^(?!\w+:\/\/[^/@]*:[^/@]*@).+$/,
        'leave the password out: let git find it (a credential helper, an SSH key)',
      )
      .describe('Pushed to after each commit. A push that fails never fails the backup.')
      .optional(),
  })
  .describe('Also commits text files of the plan to a git repository.');

export interface GitConfig {
  readonly repository: string;
  readonly branch: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Names, or beginnings with `*` at the end. */
  readonly variables: readonly string[];
  readonly remote?: string;
}

export function buildGit(file: z.output<typeof gitSchema>): GitConfig {
  const { repository, branch = BRANCH, include, exclude = [], variables = [], remote } = file;
  return { repository, branch, include, exclude, variables, ...(remote === undefined ? {} : { remote }) };
}
