/** Whether what is to be captured is there and may be read by this user, without reading it. */
import { accessSync, constants, statSync } from 'node:fs';
import { connectDocker } from '../docker/connect.ts';
import type { DockerHost } from '../docker/types.ts';
import { localHost } from '../system/home.ts';
import type { Component, System, SystemdComponent } from '../system/types.ts';
import { failed, ok, warn, type Finding } from './examination.ts';

const UNITS_LIMIT_MS = 20_000;

export async function examineComponents(system: System): Promise<Finding[]> {
  let here: string;
  try {
    here = localHost(system);
  } catch {
    // Told already, as a finding about the host.
    return [];
  }
  const docker = connectDocker();
  try {
    const findings: Finding[] = [];
    for (const component of system.components) {
      const what = `component ${component.name}`;
      if (component.host !== here) findings.push(ok(what, `on ${component.host}; run doctor there`));
      else
        findings.push(
          ...(await examineComponent(what, component, docker).catch((error: unknown) => [failed(what, error)])),
        );
    }
    return findings;
  } finally {
    docker.close();
  }
}

async function examineComponent(what: string, component: Component, docker: DockerHost): Promise<Finding[]> {
  switch (component.kind) {
    case 'volume':
      return [await examineVolume(what, component.volume, component.quiesce.mode, docker)];
    case 'compose':
      return [await examineProject(what, component, docker)];
    case 'files':
      return [examinePath(what, component.path, 'any')];
    case 'systemd':
      return examineUnits(what, component);
    case 'sqlite':
      return [examinePath(what, component.path, 'file')];
    case 'postgres': {
      const { examinePostgres } = await import('./examine-postgres.ts');
      return examinePostgres(what, component, docker);
    }
  }
}

async function examineVolume(what: string, name: string, quiesce: string, docker: DockerHost): Promise<Finding> {
  const volume = await docker.volume(name);
  if (volume === undefined) {
    const doThis = 'Check the name with `docker volume ls`.';
    return { state: 'fail', what, detail: `there is no volume ${name}`, doThis };
  }
  const users = (await docker.containersOf({ volume: name })).filter(({ state }) => state === 'running');
  const used =
    users.length === 0 ? 'used by no running container' : `used by ${users.map((one) => one.name).join(', ')}`;
  if (volume.path !== undefined) {
    const readable = examinePath(what, volume.path, 'any');
    if (readable.state === 'fail') return readable;
  }
  if (users.length > 0 && quiesce === 'none') {
    return warn(
      what,
      `volume ${name}, ${used}, and quiesce is none`,
      'Files that change while they are read may be torn; use pause or stop.',
    );
  }
  return ok(what, `volume ${name}, ${used}`);
}

async function examineUnits(what: string, component: SystemdComponent): Promise<Finding[]> {
  const { unitManager } = await import('../systemd/manager.ts');
  const { judgeUnit } = await import('../policy/unit-state.ts');
  const seen = await unitManager(component).look(component.units, AbortSignal.timeout(UNITS_LIMIT_MS));
  return seen.map((unit) => {
    const verdict = judgeUnit(unit, Date.now());
    if (verdict.kind === 'fine') return ok(what, `${unit.name} is ${unit.active}, ${unit.enablement}`);
    if (verdict.kind === 'left') return ok(what, `${unit.name} ${verdict.why}`);
    return warn(what, `${unit.name} ${verdict.what}`, `See why: systemctl status ${unit.name}`);
  });
}

async function examineProject(
  what: string,
  component: Extract<Component, { kind: 'compose' }>,
  docker: DockerHost,
): Promise<Finding> {
  const directory = examinePath(what, component.directory, 'any');
  if (directory.state === 'fail') return directory;
  const containers = await docker.containersOf({ project: component.project });
  if (containers.length === 0) {
    const doThis = 'Check the project name with `docker compose ls`, or start it.';
    return warn(what, `project ${component.project} has no containers`, doThis);
  }
  const running = containers.filter(({ state }) => state === 'running').length;
  return ok(what, `project ${component.project}, ${running} of ${containers.length} containers run`);
}

function examinePath(what: string, path: string, kind: 'file' | 'any'): Finding {
  try {
    const facts = statSync(path);
    if (kind === 'file' && !facts.isFile()) {
      return { state: 'fail', what, detail: `${path} is no file`, doThis: 'Name the database file itself.' };
    }
    accessSync(path, facts.isDirectory() ? constants.R_OK | constants.X_OK : constants.R_OK);
    return ok(what, path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      return { state: 'fail', what, detail: `${path} does not exist`, doThis: 'Check the path in the system file.' };
    }
    const doThis = 'Run the host worker as a user that may read it.';
    return { state: 'fail', what, detail: `${path} can't be read (${code ?? 'unknown error'})`, doThis };
  }
}
