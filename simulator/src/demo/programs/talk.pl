# Talks to the echo servers in its arguments (tcp/PORT, udp/PORT) on IPv4 loopback: two messages to each, from a new socket.
use strict;
use warnings;
use Socket;

$| = 1;
alarm 20;
for my $server (@ARGV) {
    my ($protocol, $port) = split m{/}, $server;
    my $kind = $protocol eq "tcp" ? SOCK_STREAM : SOCK_DGRAM;
    socket(my $client, PF_INET, $kind, 0) or die "socket: $!";
    connect($client, sockaddr_in($port, INADDR_LOOPBACK)) or die "connect: $!";
    my ($sent, $received) = (0, 0);
    for my $size (11, 999) {
        defined(send($client, "l" x $size, 0)) or die "send: $!";
        $sent += $size;
        while ($received < $sent) {
            defined(recv($client, my $data, 4096, 0)) or die "recv: $!";
            length $data or die "$server closed the connection";
            $received += length $data;
        }
    }
    my ($local) = sockaddr_in(getsockname($client));
    close($client);
    print qq({"flow":{"pid":$$,"program":"perl","protocol":"$protocol","role":"out","local":"127.0.0.1:$local",)
        . qq("remote":"127.0.0.1:$port","sent":$sent,"received":$received}}\n);
}
