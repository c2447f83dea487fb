/** Bringing this system back with jq, age, zstd, tar and ssh-keygen: the vault's own RECOVERY.md with this system's names in it. */
import { dirname } from 'node:path';
import type { Component, StoreConfig, System, SystemdComponent } from '../../system/types.ts';
import { quoted } from '../shell-word.ts';
import { componentsByTier, placeOf } from './facts.ts';
import { commands, paragraphs, pattern } from './markdown.ts';

export interface RecoveryCommands {
  readonly heading: string;
  readonly commands: string;
}

export function byHandText(system: System, guide: readonly RecoveryCommands[]): string {
  const [first] = system.stores;
  return paragraphs(
    'Neither Holdfast nor Temporal is needed: jq, age, zstd, tar and ssh-keygen (Debian: `apt-get install jq age zstd tar openssh-client`), the vault, and of the recovery kit the identity (a line `AGE-SECRET-KEY-1…` in a file). All blocks in one shell, in order, as root where owners are to come back. The same stands in `RECOVERY.md` in every store.',
    ...(first === undefined ? [] : fetched(first, system)),
    commands(
      'export IDENTITY="${IDENTITY:-/root/identity.txt}"   # the identity, out of the kit',
      'export WORK="${WORK:-/root/restored}"               # new, with room for everything',
      `export ROOT_FINGERPRINT=${quoted(system.keys.rootFingerprint)}`,
    ),
    ...guide.map((block) => paragraphs(`**${block.heading.replace(/^\d+\. /, '')}**`, commands(block.commands))),
    'Then into place, with the services stopped:',
    ...componentsByTier(system).map((component) =>
      paragraphs(`**${component.name}** (${placeOf(component)})`, into(component)),
    ),
  );
}

/** The vault has to lie in a directory; other stores than the first in the same way, by their addresses above. */
function fetched(store: StoreConfig, { stores }: System): string[] {
  const others = stores.length > 1 ? ' Any other store does as well.' : '';
  const said = `The vault, out of \`${store.name}\`.${others}`;
  const local = 'export VAULT="${VAULT:-/root/vault}"';
  switch (store.kind) {
    case 'directory':
      return [said, commands(`export VAULT="\${VAULT:-${store.path}}"`)];
    case 's3': {
      const { bucket, prefix, region, endpoint } = store;
      const server = endpoint === undefined ? '' : ` --endpoint-url ${quoted(endpoint)}`;
      return [said, pattern(local, `aws s3 sync${server} --region ${region} s3://${bucket}/${prefix} "$VAULT"`)];
    }
    case 'gcs':
      return [said, pattern(local, `gcloud storage rsync --recursive gs://${store.bucket}/${store.prefix} "$VAULT"`)];
    case 'azure': {
      const { account, container, prefix } = store;
      const from = `--account-name ${account} --source ${container} --pattern '${prefix}/*'`;
      return [
        said,
        pattern(`az storage blob download-batch ${from} --destination /root`, `export VAULT=/root/${prefix}`),
      ];
    }
    case 'sftp': {
      const { user, host, port, path } = store;
      return [said, pattern(local, `sftp -r -P ${port} ${user}@${host}:${path} "$VAULT"`)];
    }
  }
}

/** Enablement is links in the tree. */
function unitsInto({ scope, user, units }: SystemdComponent, tree: string): string {
  const whose = user === undefined ? '--user' : `--user --machine=${quoted(`${user}@`)}`;
  const systemctl = scope === 'system' ? 'systemctl' : `systemctl ${whose}`;
  const home = user === undefined ? '~' : `~${user}`;
  return pattern(
    `cp -a ${tree}/. ${scope === 'system' ? '/etc/systemd/system' : `${home}/.config/systemd/user`}/`,
    `${systemctl} daemon-reload`,
    `${systemctl} start ${units.map(quoted).join(' ')}`,
  );
}

function into(component: Component): string {
  const { name } = component;
  const tree = `"$WORK/trees/${name}/tree"`;
  const artifacts = `"$WORK/artifacts.d/${name}"`;
  switch (component.kind) {
    case 'files': {
      // A single file lies in its tree under its own name.
      const path = quoted(component.path);
      const parent = quoted(dirname(component.path));
      const isUnit = component.path.startsWith('/etc/systemd/');
      return pattern(
        `cp -a ${tree}/. ${path}/      # either: it was a directory`,
        `cp -a ${tree}/. ${parent}/    # or: it was a single file`,
        ...(isUnit ? ['systemctl daemon-reload', 'systemctl enable --now UNIT'] : []),
      );
    }
    case 'volume':
      return pattern(
        `docker volume create ${quoted(component.volume)}`,
        `cp -a ${tree}/. "$(docker volume inspect --format '{{.Mountpoint}}' ${quoted(component.volume)})/"`,
      );
    case 'sqlite': {
      const { path } = component;
      const file = path.slice(path.lastIndexOf('/') + 1);
      return pattern(
        `rm -f ${['-wal', '-shm', '-journal'].map((end) => quoted(`${path}${end}`)).join(' ')}`,
        `cp "$WORK/artifacts.d/${name}/${file}" ${quoted(path)}`,
      );
    }
    case 'systemd':
      return unitsInto(component, tree);
    case 'compose':
      return pattern(
        `cp -a "$WORK/trees/${name}"/file-*/. ${quoted(component.directory)}/`,
        `for image in ${artifacts}/image-*.tar; do [ ! -f "$image" ] || docker load -i "$image"; done`,
        `cd ${quoted(component.directory)} && docker compose ${component.files.map((file) => `-f ${quoted(file)}`).join(' ')} -p ${quoted(component.project)} up --detach`,
      );
    case 'postgres': {
      if (component.method === 'base') {
        const data = quoted(component.dataDirectory ?? 'DATA-DIRECTORY');
        return pattern(
          `install -d -m 0700 -o postgres -g postgres ${data}      # empty`,
          `tar -xpf ${artifacts}/base.tar -C ${data}`,
          `# a point in time: see “Put the write-ahead log together”, then restore_command and recovery.signal`,
        );
      }
      const { address = 'HOST', port, maintenanceDatabase } = component.server;
      const login = `-h ${quoted(address)} -p ${port} -U ADMIN`;
      return pattern(
        `psql ${login} -d ${maintenanceDatabase} -f ${artifacts}/globals.sql`,
        `for dump in ${artifacts}/db-*.dump; do pg_restore ${login} -d ${maintenanceDatabase} --create "$dump"; done`,
      );
    }
  }
}
