/**
 * Images made without a registry: the Node binary with the shared libraries that it needs, and programs in TypeScript.
 * `docker import` of a tar; the tag is the hash of the content, so a second call finds it.
 */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, copyFile, cp, mkdir, mkdtemp, readFile, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type Docker from 'dockerode';
import { CONTENT_LABEL, IMAGE_REPOSITORY, SAMPLE_LABEL } from './labels.ts';

const run = promisify(execFile);
const SAMPLE_ROOT = dirname(import.meta.dirname);
const PROGRAMS = ['ledger', 'm2m', 'stack'];

export interface NodeImage {
  readonly repository: string;
  /** Absolute paths of directories by where they lie below /app; their files, and those of what is below them. */
  readonly trees: Readonly<Record<string, string>>;
  readonly wants: (name: string) => boolean;
}

interface AppFile {
  readonly from: string;
  /** Below /app. */
  readonly to: string;
}

async function filesOf({ trees, wants }: NodeImage): Promise<AppFile[]> {
  const lists = await Promise.all(
    Object.entries(trees).map(async ([to, from]) => {
      const entries = await readdir(from, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile() && wants(entry.name));
      return files.map((entry) => join(entry.parentPath, entry.name)).map((path) => ({ from: path, root: from, to }));
    }),
  );
  const files = lists.flat().map(({ from, root, to }) => ({ from, to: join(to, from.slice(root.length)) }));
  return files.sort((a, b) => (a.to < b.to ? -1 : 1));
}

async function contentHash(node: string, files: readonly AppFile[]): Promise<string> {
  const hash = createHash('sha256').update(`${process.version} ${process.arch} layout 2\n`);
  hash.update((await libraries(node)).join('\n'));
  for (const { from, to } of files) hash.update(`${to}\n`).update(await readFile(from));
  return hash.digest('hex');
}

/** Absolute paths of the shared objects and the loader, as `ldd` resolves them. */
async function libraries(binary: string): Promise<string[]> {
  const { stdout } = await run('ldd', [binary]);
  return [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].flatMap((match) => match[1] ?? []);
}

async function makeTree(root: string, node: string, files: readonly AppFile[]): Promise<void> {
  for (const directory of ['bin', 'etc', 'tmp', 'data', 'wallet', 'app']) await mkdir(join(root, directory));
  await chmod(join(root, 'tmp'), 0o1777);
  await copyFile(node, join(root, 'bin/node'));
  for (const library of await libraries(node)) {
    await mkdir(join(root, dirname(library)), { recursive: true });
    await copyFile(library, join(root, library));
  }
  await writeFile(join(root, 'app/package.json'), '{"type":"module"}\n');
  for (const { from, to } of files) await cp(from, join(root, 'app', to));
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/bin/node\n');
  await writeFile(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
}

interface Named {
  readonly repository: string;
  readonly tag: string;
  readonly content: string;
}

async function importTree(docker: Docker, root: string, { repository, tag, content }: Named): Promise<void> {
  const tar = spawn('tar', ['--create', '--numeric-owner', '--owner=0', '--group=0', '--directory', root, '.'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<number | null>((resolve, reject) => tar.once('error', reject).once('exit', resolve));
  const changes = [
    'ENTRYPOINT ["/bin/node"]',
    'ENV NODE_NO_WARNINGS=1',
    'ENV UV_USE_IO_URING=0',
    `LABEL ${SAMPLE_LABEL}=image`,
    `LABEL ${CONTENT_LABEL}=${content}`,
  ];
  // One string: the engine joins the instructions by newlines, and the client would write a list as JSON.
  const options = { repo: repository, tag, changes: changes.join('\n') };
  const progress = await docker.importImage(tar.stdout, options);
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(progress, (error) => (error === null ? resolve() : reject(error)));
  });
  if ((await exited) !== 0) throw new Error('tar failed while the sample image was made');
}

/** The image's name; made when there is none of this content. Its entry point is Node, its programs lie under /app. */
export async function ensureNodeImage(
  docker: Docker,
  image: NodeImage,
  say: (text: string) => void = () => undefined,
): Promise<string> {
  const node = await realpath(process.execPath);
  const files = await filesOf(image);
  const content = await contentHash(node, files);
  const tag = content.slice(0, 12);
  const name = `${image.repository}:${tag}`;
  const found = await docker.listImages({ filters: { reference: [name], label: [`${CONTENT_LABEL}=${content}`] } });
  if (found.length > 0) return name;
  say(`making the image ${name} (once)`);
  const root = await mkdtemp(join(tmpdir(), 'holdfast-image-'));
  try {
    await chmod(root, 0o755);
    await makeTree(root, node, files);
    await importTree(docker, root, { repository: image.repository, tag, content });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
  return name;
}

/** The sample stack's: `/app/ledger/server.ts`, `/app/ledger/check.ts FILE`, `/app/m2m/connector.ts`. */
export async function ensureSampleImage(
  docker: Docker,
  say: (text: string) => void = () => undefined,
): Promise<string> {
  const trees = Object.fromEntries(PROGRAMS.map((directory) => [directory, join(SAMPLE_ROOT, directory)]));
  return ensureNodeImage(docker, { repository: IMAGE_REPOSITORY, trees, wants: (name) => name.endsWith('.ts') }, say);
}
