#!/usr/bin/env bash
# Records docs/session.cast and docs/SCREENS.md anew from a real run of the release binary, in tmux.
# Needs tmux and asciinema 2. Play with: asciinema play docs/session.cast
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --locked
state=$(mktemp -d)
mkdir "$state/bin" "$state/empty"
cp target/release/p2p-chat "$state/bin/"
# A program that is ended by that may still write its files.
trap 'tmux -L record kill-server 2>/dev/null || true; rm -rf "$state" 2>/dev/null || { sleep 2; rm -rf "$state"; }' EXIT

# All run on the loopback network, in a directory without peers.toml, and leave nothing behind.
clean=(env -i "PATH=$state/bin:/usr/bin:/bin" "HOME=$state" TERM=tmux-256color LANG=C.UTF-8 "PS1=\$ " USER=dan TZ=UTC
  P2P_CHAT_BIND=127.0.0.1 TMUX=inside)
shell="cd $state/empty && exec ${clean[*]@Q} bash --norc --noprofile -i"

t() { tmux -L record "$@"; }
# Waits until a pane shows something.
sees() {
  for _ in $(seq 100); do
    if t capture-pane -p -t "$1" | grep -qF -- "$2"; then return; fi
    sleep 0.1
  done
  echo "$1 never showed: $2" >&2
  t capture-pane -p -t "$1" >&2
  exit 1
}
# Types as a person does.
types() {
  local i
  for ((i = 0; i < ${#2}; i++)); do
    t send-keys -t "$1" -l -- "${2:i:1}"
    sleep 0.04
  done
}
press() { t send-keys -t "$1" "${@:2}"; sleep 0.4; }
enters() { types "$1" "$2"; sleep 0.2; press "$1" Enter; }

screens=docs/SCREENS.md
cat >"$screens" <<'WORDS'
# Screens

What the terminal showed in real runs, made by [record.sh](record.sh). It also records
[session.cast](session.cast) (`asciinema play docs/session.cast`), in which a newcomer uses numbers
and a regular uses names. Colours are not shown here.
WORDS
# A screen as the terminal shows it, with the words before it.
screen() {
  {
    printf '\n## %s\n\n%s\n\n```\n' "$2" "$3"
    t capture-pane -p -t "$1" | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
    printf '```\n'
  } >>"$screens"
}

# The session: a newcomer who uses numbers, left, and a regular who uses names, right.
t -f /dev/null new-session -d -x 150 -y 34 "$shell"
t set -g status off
t set -g focus-events on
t split-window -h "$shell"
left=:0.0 right=:0.1
asciinema rec -q --overwrite -i 2 --cols 150 --rows 34 -t "A newcomer uses numbers, a regular uses names" \
  -c "env -u TMUX tmux -L record attach" docs/session.cast &
recorder=$!
sleep 1
enters $right "p2p-chat --name Bob --port 5001"
sees $right "Choice"
enters $left "p2p-chat"
sees $left "Enter your name"
press $left Enter
sees $left "Enter your port"
press $left Enter
sees $left "Choice"
screen $left "A newcomer's first minute" "Typed: \`p2p-chat\`, Enter for the name offered, Enter for the port offered."
enters $left "3"
enters $left "127.0.0.1:5001"
sees $left "Connected to"
enters $left "1"
enters $left "1"
enters $left "Hello Bob, I am new here"
sees $right "I am new here"
enters $right "/reply Welcome! I never use the numbers"
sees $left "Welcome"
types $right "/chat d"
press $right Tab
press $right Enter
enters $right "Every line goes to you now"
types $right "My line stays whole"
enters $left "1"
press $left Enter
enters $left "even while I write this?"
sees $right "while I write"
screen $right "A regular, and a message while he types" \
  "Typed: \`/reply Welcome! ...\`, \`/chat d\`, Tab, Enter, then only lines. The last is half typed."
press $right Enter
enters $left "2"
sees $left "1 peer known"
screen $left "A newcomer by numbers" \
  "Typed: \`3\` and an address; \`1\`, \`1\` and a text; \`1\`, Enter for the same as last time, and a text; \`2\`."
enters $right "/me waves"
sees $left "waves"
enters $left "0"
sees $right "has left"
enters $right "/quit"
sleep 1
t kill-server
wait $recorder || true

# The screens of the rest.
t -f /dev/null new-session -d -x 84 -y 22 "$shell"
t set -g status off
t set -g focus-events on
t new-window "$shell"
t new-window "$shell"
a=:0 b=:1 c=:2
enters $a "p2p-chat --name Alice --port 5600"
sees $a "Choice"
enters $b "p2p-chat --name Bob --port 5601 --peer 127.0.0.1:5600"
sees $a "Bob (127.0.0.1:5601) is online"
press $a C-l
enters $b "/verify alice"
enters $a "/verify bob"
sees $a "Same on both"
screen $b "Comparing keys" "Typed: \`/verify alice\` here, \`/verify bob\` there."
screen $a "The same on the other screen" "Both read the digits to each other, and say yes."
enters $b "yes"
enters $a "yes"
sees $a "is verified"
press $a C-l
enters $c "p2p-chat --name Bob --profile another --port 5603 --peer 127.0.0.1:5600"
sees $a "has changed"
sees $a "/block"
screen $a "An unknown key with the name of a contact" "Nothing of the new key is shown, and nothing goes to it, until the user decides. Messages for Bob still go to the old key."
press $a C-l
enters $b "@alice It is not me"
sees $a "not me"
enters $a "/accept Bob"
sees $a "5603) is online"
enters $a "/peers"
sees $a "peers known"
screen $a "Another person of that name" "Typed: \`/accept Bob\` and \`/peers\`. If Bob had a new device, \`/trust Bob\` would move him to the new key."
label_at() { t capture-pane -p -t "$a" | grep "  127.0.0.1:$1 " | grep -o 'Bob·[a-z2-7]*'; }
first=$(label_at 5601)
second=$(label_at 5603)
t resize-window -t $a -x 84 -y 34
press $a C-l
enters $a "/help"
screen $a "Help" "Typed: \`/help\`."
t resize-window -t $a -x 84 -y 22
press $a C-l
types $a "@b"
press $a Tab
press $a Tab
screen $a "Completion, and two peers of one name" "Typed: \`@b\` and Tab twice. The suffix is the beginning of the key."
press $a C-u
enters $a "/alias $second Robert"
enters $a "@robert see you at 5"
sees $a "Delivered to Robert"
enters $a "/chat $first"
enters $b "@alice One"
enters $c "@alice Two, while you talk with the other Bob"
sees $a "unread"
types $a "A line that is longer than the window is wrapped, also with wide characters 你好, and it stays where it is"
screen $a "A nickname, a conversation, what is unread meanwhile, a wrapped line" \
  "Typed: \`/alias $second Robert\`, \`@robert see you at 5\`, \`/chat $first\`, and a line that is not finished."
press $a Enter
printf 'fn main() {\n    println!("{}", 6 * 7);\n}\n' | t load-buffer -
press $a C-l
t paste-buffer -p -t $a
sleep 0.4
screen $a "A pasted block before it is sent" "Nothing in it is obeyed. Enter sends it as one message."
press $a Enter
sees $b "println"
enters $b "/me reads it"
press $b Enter
sees $a "reads it"
screen $b "The same where it arrived" "The lines stand behind a bar, so that nobody can forge a message in them."
press $a C-l
press $a C-r
types $a "see"
screen $a "Search" "Typed: Ctrl-R and \`see\`."
press $a C-g
enters $a "/pers"
screen $a "An unknown command" "Typed: \`/pers\`. The suggestion is in the line; Enter runs it."
press $a Enter
sees $a "peers known"
enters $a "/mute robert"
enters $c "@alice Not shown"
enters $a "/history robert"
enters $a "/unmute robert"
screen $a "The list, muting and the history" "Typed: Enter for \`/peers\`, \`/mute robert\`, \`/history robert\`, \`/unmute robert\`."
enters $a "/back"
press $a C-c
screen $a "Ctrl-C on an empty line" "Typed: \`/back\`, Ctrl-C."
types $a "half a line"
press $a C-z
sees $a "Stopped"
enters $b "@alice Still there?"
sleep 0.5
enters $a "fg"
sees $a "half a line"
screen $a "Stopped and continued" "Typed: \`half a line\`, Ctrl-Z, later \`fg\`. What came meanwhile is shown."
t resize-window -t $a -x 20 -y 22
sleep 0.5
screen $a "A window of 20 columns" "The same line, in a window made narrower. There is no room for the status line."
t resize-window -t $a -x 84 -y 22
press $a C-u
enters $a "/quit"
sleep 0.5
press $a C-l
enters $a "p2p-chat --plain --name Alice --port 5600 --time-format %H:%M"
sees $a "Choice"
enters $b "@alice Can you read this?"
sees $a "read this"
enters $a "@$first Every word"
sees $a "Delivered"
screen $a "Plain, for screen readers" "Typed: \`p2p-chat --plain ...\`, \`@$first Every word\`. No control sequence is written, each event is one line."
t kill-server

# Dave leaves, and Benno gets his address.
while t ls >/dev/null 2>&1; do sleep 0.1; done
t -f /dev/null new-session -d -x 84 -y 24 "$shell"
t set -g status off
t new-window "$shell"
t new-window "$shell"
enters $a "p2p-chat --name Carol --port 5620"
sees $a "Choice"
enters $b "p2p-chat --name Dave --port 5621 --peer 127.0.0.1:5620"
sees $a "Dave (127.0.0.1:5621) is online"
enters $c "p2p-chat --name Benno --port 5622 --peer 127.0.0.1:5620"
sees $a "Benno (127.0.0.1:5622) is online"
enters $a "@benno Hello Benno"
sees $a "Delivered to Benno"
enters $a "@dave Hello Dave"
sees $a "Delivered to Dave"
press $a C-l
enters $b "/quit"
sees $a "Dave has left"
enters $c "/quit"
sees $a "Benno has left"
press $c C-l
enters $c "p2p-chat --name Benno --port 5621 --peer 127.0.0.1:5620"
sees $a "Benno (127.0.0.1:5621) is online"
enters $a "@dave This is for you alone"
sees $a "Your message waits"
enters $a "/outbox"
sees $a "/outbox cancel"
screen $a "Another contact has the address of a contact" "Dave has left, and Benno has started at Dave's address. Typed: \`@dave ...\` and \`/outbox\`."
press $a C-l
press $b C-l
enters $b "p2p-chat --name Dave --port 5623 --peer 127.0.0.1:5620"
sees $a "Delivered to Dave"
enters $a "/peers"
sees $a "peers known"
screen $a "The contact is back, at another address" "The message has arrived. Typed: \`/peers\`."
t kill-server

# Somebody is away.
while t ls >/dev/null 2>&1; do sleep 0.1; done
t -f /dev/null new-session -d -x 84 -y 24 "$shell"
t set -g status off
t new-window "$shell"
enters $a "p2p-chat --name Ann --port 5610"
sees $a "Choice"
enters $b "p2p-chat --name Ben --port 5611 --peer 127.0.0.1:5610"
sees $a "Ben (127.0.0.1:5611) is online"
enters $b "@ann Shall we have lunch?"
sees $b "Delivered"
enters $b "/quit"
sees $a "Ben has left"
press $a C-l
enters $a "@ben Gladly, at noon"
sees $a "Queued for Ben"
enters $a "@ben At the usual table?"
enters $a "/outbox"
screen $a "Somebody is away" "Typed: two texts to Ben, who has left, and \`/outbox\`."
enters $a "/quit"
sees $a "texts wait for Ben"
press $b C-l
enters $b "p2p-chat --name Ben --port 5611"
sees $b "Choice"
press $a C-l
enters $a "p2p-chat --name Ann --port 5610"
sees $a 'Delivered to Ben: "At'
screen $a "Both have started again" "What waited has arrived, without anybody doing anything."
press $b C-l
enters $b "/chat ann"
sees $b "end of the history"
enters $b "I am there"
sees $a "I am there"
screen $b "The history where a conversation begins" "Typed: \`/chat ann\` and a line."
press $a C-l
enters $a "/history ben noon"
enters $a "/history"
screen $a "What was said, and what had a word in it" "Typed: \`/history ben noon\`, \`/history\`."
t kill-server

# A stranger under each policy, each time with profiles of its own.
while t ls >/dev/null 2>&1; do sleep 0.1; done
t -f /dev/null new-session -d -x 84 -y 24 "$shell"
t set -g status off
t new-window "$shell"
port=5630
for policy in accept-new ask strict; do
  enters $a "clear"
  enters $a "p2p-chat --data-dir alice-$policy --name Alice --port $port --policy $policy"
  sees $a "Choice"
  press $a C-l
  enters $b "clear"
  enters $b "p2p-chat --data-dir dave-$policy --name Dave --port $((port + 1))"
  sees $b "Choice"
  enters $b "@127.0.0.1:$port May I join you?"
  case $policy in
    accept-new)
      sees $a "May I join"
      enters $a "/peers"
      sees $a "1 peer known"
      enters $a "@dave Welcome"
      sees $a "to Dave"
      screen $a "A stranger's first minute under accept-new" \
        "Typed: \`/peers\`, \`@dave Welcome\`. The stranger is \`new\` until the user answers."
      ;;
    ask)
      sees $a "wants to chat"
      enters $a "/peers"
      sees $a "0 peers known"
      enters $a "/accept dave"
      sees $a "May I join"
      screen $a "A stranger's first minute under ask" \
        "Typed: \`/peers\`, \`/accept dave\`. Nothing of the message is shown before."
      ;;
    strict)
      sees $a "Refused Dave"
      enters $a "/peers"
      sleep 1
      enters $a "/accept dave"
      sleep 1
      screen $a "A stranger's first minute under strict" \
        "Typed: \`/peers\`, \`/accept dave\`. The stranger reads that the user does not accept messages from them."
      ;;
  esac
  press $a C-u
  enters $a "/quit"
  enters $b "/quit"
  sleep 1
  port=$((port + 2))
done
t kill-server
