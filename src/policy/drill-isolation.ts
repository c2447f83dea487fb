/**
 * How a container of a Compose project is made again in a drill: from what is known to be harmless, never from what it
 * was minus what is known to be dangerous. What would reach the host or the live stack is refused, or made another way,
 * and both are told. Pure.
 */
import path from 'node:path';

/** The engine's own words for a container, as a backup holds them. */
export interface RecordedContainer {
  readonly name: string;
  readonly service: string;
  readonly image: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly hostConfig: Readonly<Record<string, unknown>>;
  /** Network → what was asked for at its creation. */
  readonly networks: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export interface Surroundings {
  /** Name of a container of the drill's own. */
  readonly containerName: (live: string) => string;
  /** Live volume → the one that was restored. Others begin empty. */
  readonly volumes: Readonly<Record<string, string>>;
  /** Name of a volume of the drill's own. */
  readonly volumeName: (live: string) => string;
  readonly networkName: (live: string) => string;
  /** Live container that is a database server → where its cluster lies: that begins empty, whatever is mounted there. */
  readonly clusters?: Readonly<Record<string, string>>;
  /** Live directory or file → its restored copy. */
  readonly paths: Readonly<Record<string, string>>;
  /** Those of which there is only what other components restore below; default none. */
  readonly partly?: readonly string[];
}

export interface IsolatedMount {
  readonly type: 'volume' | 'bind' | 'tmpfs';
  /** A volume, or a path below one of the restored copies; empty for what comes and goes with the container. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface IsolatedContainer {
  readonly name: string;
  /** The name of the one that it stands for. */
  readonly live: string;
  readonly service: string;
  readonly image: string;
  /** What the engine's create call takes, without mounts and networks. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly hostConfig: Readonly<Record<string, unknown>>;
  readonly mounts: readonly IsolatedMount[];
  /** Network of the drill's own → names under which others find it there. Empty: none at all. */
  readonly networks: Readonly<Record<string, readonly string[]>>;
  /** Live port of the host → port inside. */
  readonly ports: readonly { readonly hostPort: number; readonly port: number }[];
}

export interface Isolation {
  readonly containers: readonly IsolatedContainer[];
  /** What is made another way than it is live. */
  readonly isolated: readonly string[];
  /** Why nothing is started; empty: everything is. */
  readonly refused: readonly string[];
}

/** What a program is and how it runs; nothing of where. */
const CONFIG_KEPT = [
  ...['Cmd', 'Entrypoint', 'Env', 'WorkingDir', 'User', 'Healthcheck', 'StopSignal', 'StopTimeout', 'Shell', 'Tty'],
  ...['OpenStdin', 'Domainname'],
];
const LIMITS_KEPT = [
  ...['Memory', 'MemoryReservation', 'MemorySwap', 'NanoCpus', 'CpuShares', 'CpuQuota', 'CpuPeriod', 'PidsLimit'],
  ...['ShmSize', 'Ulimits', 'ReadonlyRootfs', 'Tmpfs', 'Init', 'CapDrop', 'OomScoreAdj', 'GroupAdd'],
];
/** Those that the engine gives by itself, and two that databases ask for; none of them reaches the host. */
const CAPABILITIES = new Set([
  ...['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP', 'NET_BIND_SERVICE'],
  ...['SYS_CHROOT', 'AUDIT_WRITE', 'SETFCAP', 'IPC_LOCK', 'SYS_NICE'],
]);
/** Files of the host that say nothing of it, when they can only be read. */
const HARMLESS = new Set(['/etc/localtime', '/etc/timezone']);

export function isHarmless({ source, readOnly }: Pick<IsolatedMount, 'source' | 'readOnly'>): boolean {
  return readOnly && HARMLESS.has(source);
}

const NAMESPACES: readonly (readonly [string, string, readonly string[]])[] = [
  ['PidMode', 'processes', ['']],
  ['IpcMode', 'shared memory', ['', 'private', 'shareable', 'none']],
  ['UTSMode', 'host name', ['']],
  ['UsernsMode', 'users', ['']],
];

export function isolate(containers: readonly RecordedContainer[], around: Surroundings): Isolation {
  const made = containers.map((container) => isolateOne(container, around));
  const refused = made.flatMap((one) => one.refused);
  const isEmpty = containers.length === 0 ? ['the backup holds no containers of the project'] : [];
  return {
    containers: made.map(({ container }) => container),
    isolated: [...new Set(made.flatMap((one) => one.isolated))],
    refused: [...isEmpty, ...refused],
  };
}

interface Told {
  readonly isolated: string[];
  readonly refused: string[];
}

function isolateOne(given: RecordedContainer, around: Surroundings): Told & { readonly container: IsolatedContainer } {
  const told: Told = { isolated: [], refused: [] };
  refuseReach(given, told);
  const mounts = mountsOf(given, around, told);
  const networks = networksOf(given, around, told);
  const { capabilities, hostConfig } = hostConfigOf(given, told);
  const hostname = typeof given.config['Hostname'] === 'string' ? given.config['Hostname'] : '';
  return {
    ...told,
    container: {
      name: around.containerName(given.name),
      live: given.name,
      service: given.service,
      image: given.image,
      // The engine's own choice was the live container's id.
      config: {
        ...kept(given.config, CONFIG_KEPT),
        ...(/^([0-9a-f]{12})?$/.test(hostname) ? {} : { Hostname: hostname }),
      },
      hostConfig: { ...hostConfig, ...(capabilities.length === 0 ? {} : { CapAdd: capabilities }) },
      mounts,
      networks,
      ports: portsOf(given, told),
    },
  };
}

/** What takes hold of the host, in any way that can't be taken away without making it another program. */
function refuseReach({ service, hostConfig }: RecordedContainer, { refused }: Told): void {
  const has = (key: string): boolean => Array.isArray(hostConfig[key]) && (hostConfig[key] as unknown[]).length > 0;
  if (hostConfig['Privileged'] === true) refused.push(`${service} is privileged`);
  for (const key of ['Devices', 'DeviceRequests', 'DeviceCgroupRules']) {
    if (has(key)) refused.push(`${service} uses devices of the host (${key})`);
  }
  if (has('VolumesFrom')) refused.push(`${service} takes its volumes from another container`);
  for (const [key, what, own] of NAMESPACES) {
    const mode = textOf(hostConfig[key]);
    if (!own.includes(mode)) refused.push(`${service} shares ${what} with ${mode}`);
  }
  const network = textOf(hostConfig['NetworkMode']);
  if (network === 'host' || network.startsWith('container:')) {
    refused.push(`${service} shares the network of ${network === 'host' ? 'the host' : 'another container'}`);
  }
}

function hostConfigOf(
  { service, hostConfig }: RecordedContainer,
  { isolated }: Told,
): { capabilities: string[]; hostConfig: Record<string, unknown> } {
  const asked = listOf(hostConfig['CapAdd']).map((name) => name.replace(/^CAP_/, '').toUpperCase());
  const withheld = asked.filter((name) => !CAPABILITIES.has(name));
  if (withheld.length > 0) isolated.push(`${service} does not get the rights ${withheld.join(', ')}`);
  const security = listOf(hostConfig['SecurityOpt']);
  const harmless = security.filter((option) => option.startsWith('no-new-privileges'));
  if (harmless.length < security.length) isolated.push(`${service} keeps the engine's own confinement`);
  const runtime = textOf(hostConfig['Runtime']);
  if (!['', 'runc', 'io.containerd.runc.v2'].includes(runtime)) {
    isolated.push(`${service} runs in the engine's own runtime and not in ${runtime}`);
  }
  if (Object.keys(hostConfig['Sysctls'] ?? {}).length > 0) isolated.push(`${service} sets no sysctls`);
  if (listOf(hostConfig['ExtraHosts']).length > 0) isolated.push(`${service} knows no further hosts`);
  return {
    capabilities: asked.filter((name) => CAPABILITIES.has(name)),
    hostConfig: {
      ...kept(hostConfig, LIMITS_KEPT),
      ...(harmless.length === 0 ? {} : { SecurityOpt: harmless }),
      Privileged: false,
      RestartPolicy: { Name: 'no' },
      AutoRemove: false,
      // Another log driver would send what it prints away.
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '1' } },
      // Names of the drill's own networks are answered by the engine; no other question leaves the container.
      Dns: ['127.0.0.1'],
    },
  };
}

function mountsOf(given: RecordedContainer, around: Surroundings, told: Told): IsolatedMount[] {
  const { service } = given;
  const recorded = recordedMounts(given.hostConfig);
  return recorded.flatMap((mount): IsolatedMount[] => {
    const { type, source, target, readOnly } = mount;
    // Of volumes those without a name: the engine makes them empty, live as here.
    if (type === 'tmpfs' || (type === 'volume' && source === '')) return [{ type, source: '', target, readOnly }];
    const directory = around.clusters?.[given.name];
    if (directory !== undefined && holdsCluster(target, { directory })) {
      told.isolated.push(`${service} begins with an empty cluster, into which its databases are restored`);
      const own = around.volumeName(`${given.name}${target.replaceAll(/[^\w.]/g, '-')}`);
      return [{ type: 'volume', source: own, target, readOnly: false }];
    }
    if (type === 'volume') {
      const restored = around.volumes[source];
      if (restored === undefined) told.isolated.push(`volume ${source} is not in the backup and begins empty`);
      return [{ type, source: restored ?? around.volumeName(source), target, readOnly }];
    }
    if (type !== 'bind') {
      told.refused.push(`${service} mounts ${source} in a way that is not known (${type})`);
      return [];
    }
    if (isHarmless(mount)) return [{ type, source, target, readOnly }];
    const copy = copyOf(source, around.paths);
    if (copy !== undefined) {
      if (around.partly?.includes(normalOf(source)) === true)
        told.isolated.push(`${service} sees of ${source} only what components restore`);
      const made: IsolatedMount = { type, source: copy, target, readOnly };
      return [made, ...below(source, made, around).filter((one) => !recorded.some((own) => own.target === one.target))];
    }
    told.refused.push(
      /docker\.sock$|containerd\.sock$|podman\.sock$/.test(source)
        ? `${service} mounts the engine's socket ${source}`
        : `${service} mounts ${source} of the host, which no component restores`,
    );
    return [];
  });
}

export function holdsCluster(target: string, { directory }: { readonly directory: string }): boolean {
  return directory === target || directory.startsWith(`${target}/`);
}

interface RecordedMount {
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** Both ways in which the engine records them: `Binds` of short texts, and `Mounts` of objects. */
export function recordedMounts(hostConfig: RecordedContainer['hostConfig']): RecordedMount[] {
  const short = listOf(hostConfig['Binds']).map((text): RecordedMount => {
    const [source = '', target = '', options = ''] = text.split(':');
    const type = source.startsWith('/') ? 'bind' : 'volume';
    return { type, source, target, readOnly: options.split(',').includes('ro') };
  });
  const long = Array.isArray(hostConfig['Mounts']) ? (hostConfig['Mounts'] as unknown[]) : [];
  return [
    ...short,
    ...long.map((mount): RecordedMount => {
      const { Type, Source, Target, ReadOnly } = (mount ?? {}) as Record<string, unknown>;
      return { type: textOf(Type), source: textOf(Source), target: textOf(Target), readOnly: ReadOnly === true };
    }),
  ];
}

/** What other components restore of the mounted directory, and does not lie in the copy of it, over its place in it. */
function below(live: string, { source, target, readOnly }: IsolatedMount, { paths }: Surroundings): IsolatedMount[] {
  const normal = normalOf(live);
  return Object.entries(paths)
    .filter(([one, copy]) => one.startsWith(`${normal}/`) && !copy.startsWith(`${source}/`))
    .toSorted(([a], [b]) => a.length - b.length)
    .map(([one, copy]) => {
      const inside = path.posix.join(target, path.posix.relative(normal, one));
      return { type: 'bind', source: copy, target: inside, readOnly };
    });
}

const normalOf = (source: string): string => path.posix.normalize(source).replace(/(.)\/$/, '$1');

/** Undefined when it lies in no restored copy. Pure words: whether links lead out of the copy is seen when it is made. */
function copyOf(source: string, paths: Surroundings['paths']): string | undefined {
  const normal = normalOf(source);
  // The longest is the most particular: a component inside another's directory.
  const [found] = Object.entries(paths)
    .filter(([live]) => normal === live || normal.startsWith(`${live}/`))
    .toSorted(([a], [b]) => b.length - a.length);
  return found === undefined ? undefined : path.posix.join(found[1], path.posix.relative(found[0], normal));
}

function networksOf(
  { name, service, hostConfig, networks }: RecordedContainer,
  around: Surroundings,
  { isolated }: Told,
): Record<string, string[]> {
  if (hostConfig['NetworkMode'] === 'none') return {};
  const own = Object.entries(networks).map(([network, endpoint]): [string, string[]] => {
    const aliases = listOf(endpoint['Aliases']);
    const address = endpoint['IPAMConfig'];
    if (typeof address === 'object' && address !== null && Object.keys(address).length > 0) {
      isolated.push(`${service} has another address in ${network}`);
    }
    // Others may know it by the name of its live container; only inside the drill's own network.
    return [around.networkName(network), [...new Set([...aliases, service, name])].filter((one) => one !== '')];
  });
  isolated.push('networks have no way out, and no address of the host in them');
  return Object.fromEntries(own);
}

function portsOf({ service, hostConfig }: RecordedContainer, { isolated }: Told): IsolatedContainer['ports'] {
  const bindings = Object.entries((hostConfig['PortBindings'] ?? {}) as Record<string, unknown>);
  if (bindings.length > 0) isolated.push(`${service} publishes no ports`);
  return bindings.flatMap(([inside, published]) => {
    const [port, protocol] = inside.split('/');
    if (protocol !== 'tcp' || !Array.isArray(published)) return [];
    return published.flatMap((one) => {
      const hostPort = Number((one as { HostPort?: unknown } | null)?.HostPort);
      return Number.isInteger(hostPort) && hostPort > 0 ? [{ hostPort, port: Number(port) }] : [];
    });
  });
}

function kept(from: Readonly<Record<string, unknown>>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    keys.flatMap((key) => (from[key] === null || from[key] === undefined ? [] : [[key, from[key]]])),
  );
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}
