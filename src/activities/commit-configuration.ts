/** Commits the text configuration of a plan, as it is on this host after its backup, to a git repository. */
import { HoldfastError } from '../failures.ts';
import { isSecretVariable } from '../policy/secret-like.ts';
import { isWatched } from '../sources/changes.ts';
import { commitSnapshot, ensureRepository, push } from '../sources/git/commit.ts';
import { textFilesOf, type Gathered, type TextFile } from '../sources/git/text-files.ts';
import { planOf } from '../status/of-system.ts';
import { componentOf, type HostContext } from './host-context.ts';
import type { Run } from './shell.ts';
import type { CommittedConfiguration, HostActivities } from './types.ts';

type Input = Parameters<HostActivities['commitConfiguration']>[0];

const TOLD = 5;

/** A repeat commits nothing new. What keeps the commit from its remote is told, and the next one takes it along. */
export async function commitConfiguration(
  context: HostContext,
  input: Input,
  run: Run,
): Promise<CommittedConfiguration> {
  const system = await context.system(input.system);
  const { git } = planOf(system, input.plan);
  if (git === undefined) throw new HoldfastError('BadInput', `plan ${input.plan} asks for no git repository`);
  const { signal } = run;
  const components = input.components.map((name) => componentOf(system, name)).filter(isWatched);
  run.report({ phase: `commit to ${git.repository}` });
  const gathered = await textFilesOf(components, git, signal);
  const files = [...gathered.files, ...variablesFile(git.variables, process.env)];
  await ensureRepository(git.repository, signal);
  const message = messageOf(input, gathered);
  const snapshot = { branch: git.branch, files, message, id: input.backup };
  const { commit, unchanged } = await commitSnapshot(git.repository, snapshot, signal);
  const trouble = git.remote === undefined ? undefined : await tryToPush(git.repository, git.remote, git.branch, run);
  return {
    commit,
    unchanged,
    files: files.length,
    leftOut: gathered.leftOut.slice(0, TOLD),
    leftOutCount: gathered.leftOut.length,
    ...(git.remote === undefined ? {} : { pushed: trouble === undefined }),
    ...(trouble === undefined ? {} : { pushTrouble: trouble }),
  };
}

function messageOf({ system, plan, backup, tag }: Input, { leftOut }: Gathered): string {
  const left = leftOut.map(({ path, why }) => `- ${path}: ${why}`);
  return [
    `${system} ${plan}${tag === undefined ? '' : `: ${tag}`}`,
    '',
    ...(left.length === 0 ? [] : ['Left out:', ...left, '']),
    `Backup: ${backup}`,
    ...(tag === undefined ? [] : [`Tag: ${tag}`]),
  ].join('\n');
}

/** A snapshot of the variables that were asked for, sorted; of those that look like secrets the name alone. */
export function variablesFile(wanted: readonly string[], environment: NodeJS.ProcessEnv): TextFile[] {
  if (wanted.length === 0) return [];
  const fits = (name: string): boolean =>
    wanted.some((want) => (want.endsWith('*') ? name.startsWith(want.slice(0, -1)) : name === want));
  const lines = Object.entries(environment)
    .filter(([name]) => fits(name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value = '']) =>
      isSecretVariable(name, value) ? `# ${name} is set` : `${name}=${JSON.stringify(value)}`,
    );
  return [{ path: 'environment.txt', executable: false, text: `${lines.join('\n')}\n` }];
}

async function tryToPush(repository: string, remote: string, branch: string, run: Run): Promise<string | undefined> {
  try {
    run.report({ phase: `push ${branch}` });
    await push(repository, remote, branch, run.signal);
    return undefined;
  } catch (error) {
    run.signal.throwIfAborted();
    if (!(error instanceof HoldfastError)) throw error;
    return error.message;
  }
}
