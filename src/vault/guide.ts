/** RECOVERY.md, which lies in the root of every vault: restoring by hand. A test runs its commands as they stand. */
import { HoldfastError } from '../failures.ts';
import { GUIDE_KEY, sha256Hex } from './names.ts';

export function recoveryGuide(vault: { system: string; vaultId: string }): string {
  return GUIDE.replaceAll('@SYSTEM@', vault.system).replaceAll('@VAULT@', vault.vaultId);
}

/**
 * SHA-256 of every text of this page that a version has written, with the names of system and vault left out. A vault keeps
 * the one it was made with, and nobody signs it: so this is what it is judged by.
 */
const KNOWN_TEXTS = new Set([
  'f9bf9ae99eae9c1da1be956ce712218033a56b20a4849ef7c26f7cd64465490c',
  'cb00faf56a1c8838f736b6855a770a341714860877b00de44eee09dcba8b82a4',
  'fad59317b776e786c746458cc82e5216612d155c00eb70ba3bff071d1bca17c8',
  '4830db53e4b59bee34f1243d5bdd1ac4359bf24189f7109af40b6469b604bfa9',
]);

/** Throws ObjectCorrupt when no version that this one knows of has written these bytes for this vault. */
export function requireKnownGuide(bytes: Uint8Array, { system, vaultId }: { system: string; vaultId: string }): void {
  const [title, place] = ['# Restoring @SYSTEM@ by hand', '**@SYSTEM@** (vault @VAULT@)'];
  const named = (text: string): string => text.replace('@SYSTEM@', system).replace('@VAULT@', vaultId);
  const text = Buffer.from(bytes).toString('latin1');
  const general = [title, place].reduce((rest, part) => rest.replace(latin1(named(part)), () => part), text);
  if (KNOWN_TEXTS.has(sha256Hex(Buffer.from(general, 'latin1')))) return;
  throw new HoldfastError(
    'ObjectCorrupt',
    `${GUIDE_KEY} is not what this version or one before it wrote for ${system}`,
  );
}

/** The commands of this page in order, each block with the heading it stands under. They read VAULT, IDENTITY, ROOT_FINGERPRINT, WORK. */
export function recoveryCommands(): { readonly heading: string; readonly commands: string }[] {
  return GUIDE.split(/^## /m)
    .slice(1)
    .flatMap((section) => {
      const [heading = ''] = section.split('\n');
      const blocks = [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands = '']) => commands.trimEnd());
      return blocks.map((commands) => ({ heading, commands }));
    });
}

/** Bytes as characters, so that none is lost in what is no UTF-8. */
function latin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}

const GUIDE = String.raw`# Restoring @SYSTEM@ by hand

This is a vault of the system **@SYSTEM@** (vault @VAULT@). Everything in it can be read with five common programs:
jq, age, zstd, tar and ssh-keygen. On Debian: apt-get install jq age zstd tar openssh-client. Neither Holdfast nor
anything that it runs on is needed.

You need this directory (a vault in object storage is first copied whole to a disk, for example with
"aws s3 sync s3://bucket/prefix vault"), and of the recovery kit the identity, a line AGE-SECRET-KEY-1..., and the root
fingerprint, SHA256:...

Run the blocks below in one shell (sh), in order. Nothing in the vault is changed.

## 1. Say where things are

Set these four; WORK is a new directory with room for what is restored.

    export VAULT=/mnt/vault                       # this directory
    export IDENTITY=/root/identity.txt            # a file with the line AGE-SECRET-KEY-1...
    export ROOT_FINGERPRINT=SHA256:...            # from the recovery kit
    export WORK=/root/restored

${'```'}sh
set -eu
mkdir -p "$WORK"
cd "$VAULT"
jq -e '.format == 1' holdfast.json >/dev/null
fail() { echo "STOP: $*" >&2; exit 1; }
${'```'}

## 2. Find out who may sign

The root admits signers in signers/. Each record carries its text in "body" and an SSH signature of exactly that text.
The public key is inside the signature; its fingerprint has to be the one of your recovery kit. Of several records
about one key the one with the highest number counts.

${'```'}sh
: >"$WORK/signers.jsonl"
: >"$WORK/allowed_signers"
for record in $(ls signers | sort -n); do
  jq -j .body "signers/$record" >"$WORK/body"
  jq -r .signature "signers/$record" >"$WORK/signature"
  ssh-keygen -Y check-novalidate -n holdfast-signer -s "$WORK/signature" <"$WORK/body" >"$WORK/check" ||
    fail "the signature of signers/$record does not hold"
  grep -qF -- "$ROOT_FINGERPRINT" "$WORK/check" || fail "signers/$record is not signed by the root"
  jq -c . "$WORK/body" >>"$WORK/signers.jsonl"
done
jq -rs 'group_by(.publicKey | split(" ")[1]) | map(max_by(.n)) | .[] | select(.role == "capture" or .role == "operator")
  | "holdfast namespaces=\"holdfast-manifest\",valid-after=\"" + (.validFrom | gsub("[-:TZ]|[.][0-9]+"; ""))
  + "Z\",valid-before=\"" + (.validUntil | gsub("[-:TZ]|[.][0-9]+"; "")) + "Z\" "
  + (.publicKey | split(" ")[0:2] | join(" "))' "$WORK/signers.jsonl" >"$WORK/allowed_signers"
${'```'}

## 3. Choose a backup and check its signature

A backup is a manifest, backups/PLAN/TIME-ID.json. The newest of all is taken here; set MANIFEST beforehand to take
another, such as one of a plan that holds more. A file whose text has "kind" is the mark of a capture that never became a
backup; one with the purpose "safety" is what a restore replaced, which may well be what was broken.

${'```'}sh
if [ -z "${'$'}{MANIFEST:-}" ]; then
  MANIFEST=$(for file in backups/*/*.json; do
    jq -r '.body | fromjson | select((has("kind") or .purpose == "safety") | not) | .startedAt + " " + .key' "$file"
  done | sort | tail -n 1 | cut -d ' ' -f 2)
fi
[ -n "$MANIFEST" ] || fail "there is no backup"
jq -j .body "$MANIFEST" >"$WORK/manifest.json"
jq -r .signature "$MANIFEST" >"$WORK/signature"
SIGNED_AT=$(jq -r '.finishedAt | gsub("[-:TZ]|[.][0-9]+"; "")' "$WORK/manifest.json")
ssh-keygen -Y verify -f "$WORK/allowed_signers" -I holdfast -n holdfast-manifest -O "verify-time=${'$'}{SIGNED_AT}Z" \
  -s "$WORK/signature" <"$WORK/manifest.json" || fail "the signature of $MANIFEST does not hold"
[ "$(jq -r .key "$WORK/manifest.json")" = "$MANIFEST" ] || fail "$MANIFEST was written under another name"
[ "$(jq -r .vaultId "$WORK/manifest.json")" = "$(jq -r .vaultId holdfast.json)" ] || fail "$MANIFEST is of another vault"
jq -r '"backup " + .id + " of " + .pointAt, (.components[] | "  " + .name + " (" + .kind + ")")' "$WORK/manifest.json"
${'```'}

## 4. Bring back the artifacts

An artifact is a stream, such as a tar. It was cut into chunks; each is compressed and sealed alone. Lists say which
chunks, in order: a tree whose lowest nodes name chunks and whose other nodes name nodes below.

${'```'}sh
unseal() { # the path of a sealed object
  age -d -i "$IDENTITY" "$1" </dev/null >"$WORK/unsealed" || fail "$1 cannot be opened"
  zstd -dcq <"$WORK/unsealed" || fail "$1 cannot be decompressed"
}
chunks() ( # the id of a list, and how many levels are below and at it
  unseal "lists/$(printf %.2s "$1")/$1" >"$WORK/list.$2"
  jq -r '.entries[][0]' "$WORK/list.$2" >"$WORK/ids.$2"
  if [ "$2" -eq 1 ]; then cat "$WORK/ids.1"; else
    while read -r child; do chunks "$child" $(($2 - 1)) || exit 1; done <"$WORK/ids.$2"
  fi
)
artifact() { # root, depth, length, and the file to write
  chunks "$1" "$2" >"$WORK/chunks" || fail "the lists of $4 cannot be read"
  while read -r id; do
    unseal "chunks/$(printf %.2s "$id")/$id" || exit 1
  done <"$WORK/chunks" >"$4"
  [ "$(wc -c <"$4" | tr -d ' ')" = "$3" ] || fail "$4 does not have $3 bytes"
}
jq -r '.systemFile | [.root, .depth, .lengthBytes] | @tsv' "$WORK/manifest.json" >"$WORK/system"
read -r root depth length <"$WORK/system"
artifact "$root" "$depth" "$length" "$WORK/system.yaml"
jq -r '.components[] | .name as $component | .artifacts[] | [.root, .depth, .lengthBytes, $component + "/" + .name] | @tsv' \
  "$WORK/manifest.json" >"$WORK/artifacts"
while read -r root depth length path; do
  mkdir -p "$WORK/artifacts.d/$(dirname "$path")"
  artifact "$root" "$depth" "$length" "$WORK/artifacts.d/$path"
  echo "restored $path, $length bytes"
done <"$WORK/artifacts"
${'```'}

## 5. Unpack the trees

A tar holds owners, modes, times, links, extended attributes and ACLs; run this as root to have all of them back. The
other artifacts (databases, dumps, JSON) are files as they are.

${'```'}sh
(cd "$WORK/artifacts.d" && find . -name '*.tar' -type f) >"$WORK/tars"
while read -r path; do
  target="$WORK/trees/${'$'}{path%.tar}"
  mkdir -p "$target"
  tar --numeric-owner --xattrs '--xattrs-include=*' --acls -xpf "$WORK/artifacts.d/$path" -C "$target"
  echo "unpacked $path into $target"
done <"$WORK/tars"
${'```'}

## 6. Put the write-ahead log together

Only where PostgreSQL's log was stored continuously: wal/COMPONENT/SYSTEM-IDENTIFIER/TIMELINE/. Each object is one line
with a signed record and then a sealed piece of one file of pg_wal; pieces may overlap. What was not stored is zeros.

${'```'}sh
if [ -d wal ]; then
  sed 's/holdfast-manifest/holdfast-wal/' "$WORK/allowed_signers" >"$WORK/allowed_wal"
  find wal -type f ! -name '*.json' | LC_ALL=C sort >"$WORK/pieces"
  while read -r piece; do
    head -n 1 "$piece" | jq -j .body >"$WORK/body"
    head -n 1 "$piece" | jq -r .signature >"$WORK/signature"
    SIGNED_AT=$(jq -r '.receivedAt | gsub("[-:TZ]|[.][0-9]+"; "")' "$WORK/body")
    ssh-keygen -Y verify -f "$WORK/allowed_wal" -I holdfast -n holdfast-wal -O "verify-time=${'$'}{SIGNED_AT}Z" \
      -s "$WORK/signature" <"$WORK/body" >"$WORK/check" || fail "the signature of $piece does not hold"
    [ "$(jq -r .key "$WORK/body")" = "$piece" ] || fail "$piece was written under another name"
    tail -n +2 "$piece" >"$WORK/sealed"
    unseal "$WORK/sealed" >"$WORK/plain"
    file="$WORK/wal.d/$(echo "$piece" | cut -d / -f 2,3)/$(jq -r .file "$WORK/body")"
    mkdir -p "$(dirname "$file")"
    [ -f "$file" ] || dd if=/dev/null of="$file" bs=1 count=0 seek="$(jq -r .fileBytes "$WORK/body")" 2>"$WORK/check"
    dd if="$WORK/plain" of="$file" bs=1M oflag=seek_bytes seek="$(jq -r .start "$WORK/body")" conv=notrunc 2>"$WORK/check"
  done <"$WORK/pieces"
  rm -f "$WORK/pieces" "$WORK/sealed" "$WORK/plain" "$WORK/allowed_wal"
fi
rm -f "$WORK/unsealed" "$WORK/list".* "$WORK/ids".* "$WORK/chunks" "$WORK/body" "$WORK/signature" "$WORK/check"
${'```'}

A base backup of PostgreSQL (base.tar) is a whole data directory: give it to the server's account with mode 0700, and a
server of the same major version starts on it ("pg_verifybackup" tells beforehand whether it is whole).

To recover a cluster to a point in time: unpack its base backup into an empty data directory, set there
restore_command = 'cp WORK/wal.d/COMPONENT/SYSTEM-IDENTIFIER/%f %p' with the right directory, archive_mode = off and the
recovery_target you want (a time ends with +00, not Z) in postgresql.auto.conf, create an empty recovery.signal, and start the server.

The data is in WORK: trees/ and artifacts.d/, one directory a component; system.yaml is the system's file, which says
what belongs where. Put it in place with the services stopped. For a Docker volume copy the tree into the volume's
directory ("docker volume inspect --format '{{.Mountpoint}}' NAME"), keeping owners ("cp -a").

## If something does not hold

"STOP: the signature ..." means that somebody changed the vault, or that the fingerprint is another vault's. Take an
older backup (set MANIFEST), or another store's copy. "cannot be opened" means a damaged object or a wrong identity:
objects in chunks/ are named by content, so the same name from another store's copy of this vault is the same content.
sums/ holds the SHA-256 of every stored object in plain JSON, to find damage without a key.
`;
