#!/bin/sh
# Installs the command `harness` from a release. Needs no compiler and no root.
#
#   curl -fsSL "$RELEASE/install.sh" | sh -s -- "$RELEASE"
#
# $RELEASE is the address of a release: the directory that has the files of .ci/release. An address
# begins with https:// (or http:// on this machine). The script also takes the path of a directory.
#
#   --to DIR      directory of the command (default: ~/.local/bin)
#   --key KEY     public key of the release, such as "ssh-ed25519 AAAA…". With it, a release without a
#                 valid signature is refused (needs ssh-keygen of OpenSSH 8.1 or newer).
#
# Checks the archive against SHA256SUMS before it unpacks anything. Replaces an installed `harness` in
# one step; if anything fails, the installed one stays as it was.
set -eu

fail() {
    printf 'install.sh: %s\n' "$1" >&2
    exit 1
}

usage() {
    printf 'usage: install.sh RELEASE [--to DIR] [--key KEY]\n' >&2
    exit 2
}

# fetch NAME: gets a file of the release into the working directory.
fetch() {
    case $release in
        *@*) fail "Cannot use $release: an address with a user is not supported." ;;
        https://*) download https "$1" ;;
        http://127.0.0.1:* | http://localhost:*) download http "$1" ;;
        *://*) fail "Cannot use $release: it is not an https:// address." ;;
        *) cp "$release/$1" "$work/$1" ;;
    esac || fail "Cannot get $1 from $release. Check the address of the release."
}

# download SCHEME NAME: redirects do not change the scheme.
download() {
    if command -v curl >/dev/null; then
        curl --fail --silent --show-error --location --proto "=$1" --output "$work/$2" "$release/$2"
    elif command -v wget >/dev/null; then
        wget -q -O "$work/$2" "$release/$2"
    else
        fail 'Cannot download the release: neither curl nor wget is installed. Install one of them.'
    fi
}

# The digest of a file, in lower-case hexadecimal digits.
digest() {
    if command -v sha256sum >/dev/null; then
        sha256sum <"$1"
    elif command -v shasum >/dev/null; then
        shasum -a 256 <"$1"
    else
        fail 'Cannot check the archive: neither sha256sum nor shasum is installed. Install one of them.'
    fi | cut -d ' ' -f 1
}

# Everything is in functions, so that a script that was downloaded in part runs nothing.
main() {
    release='' to=${HOME:-}/.local/bin key=''
    while [ $# -gt 0 ]; do
        case $1 in
            --to) [ $# -ge 2 ] || usage; to=$2; shift 2 ;;
            --key) [ $# -ge 2 ] || usage; key=$2; shift 2 ;;
            -*) usage ;;
            *) [ -z "$release" ] || usage; release=${1%/}; shift ;;
        esac
    done
    [ -n "$release" ] || usage

    system=$(uname -s) machine=$(uname -m)
    case $system/$machine in
        Linux/x86_64 | Linux/amd64) target=x86_64-unknown-linux-musl ;;
        Linux/aarch64 | Linux/arm64) target=aarch64-unknown-linux-musl ;;
        *) fail "There is no binary for $system on $machine. Build the command: cargo install --locked --path host-harness/command" ;;
    esac
    archive=harness-$target.tar.gz

    work=$(mktemp -d)
    staged=''
    trap 'rm -rf "$work" ${staged:+"$staged"}' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM

    fetch SHA256SUMS
    if [ -n "$key" ]; then
        command -v ssh-keygen >/dev/null ||
            fail 'Cannot check the signature: ssh-keygen is not installed. Install OpenSSH.'
        fetch SHA256SUMS.sig
        printf 'release %s\n' "$key" >"$work/signers"
        ssh-keygen -q -Y verify -f "$work/signers" -I release -n workflow-node-release \
            -s "$work/SHA256SUMS.sig" <"$work/SHA256SUMS" >"$work/verified" 2>&1 ||
            fail "The signature of SHA256SUMS is not of the key that --key names. Nothing was installed. $(cat "$work/verified")"
    fi
    expected=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$archive\$/\1/p" "$work/SHA256SUMS")
    [ -n "$expected" ] || fail "SHA256SUMS of the release does not list $archive. Nothing was installed."
    fetch "$archive"
    found=$(digest "$work/$archive")
    [ "$found" = "$expected" ] ||
        fail "The digest of $archive is $found, and SHA256SUMS says $expected. Nothing was installed."
    tar -xzf "$work/$archive" -C "$work" harness || fail "Cannot unpack $archive. Nothing was installed."
    version=$("$work/harness" --version) || fail 'The command does not run on this machine. Nothing was installed.'

    mkdir -p "$to" || fail "Cannot create $to. Choose a directory with --to DIR."
    staged=$(mktemp "$to/.harness-XXXXXX") || fail "Cannot write to $to. Choose a directory with --to DIR."
    cp "$work/harness" "$staged"
    chmod 755 "$staged"
    mv -f "$staged" "$to/harness"
    staged=''
    printf 'Installed %s as %s/harness.\n' "$version" "$to"
    [ -n "$key" ] || printf 'The signature was not checked: pass --key KEY to check it.\n'
    case :$PATH: in
        *:"$to":*) ;;
        *) printf 'Add %s to PATH to run it as harness.\n' "$to" ;;
    esac
}

main "$@"
