# SPDX-License-Identifier: Apache-2.0
# Serves as many pages over HTTP as its first argument says: /primes/40 lists the primes below 40. Needs no module, only perl.
my $pages = shift // 1;
my $port  = 80;
$| = 1;

sub primes_below {
    my ($limit) = @_;
    my @primes;
    NUMBER: for my $number (2 .. $limit - 1) {
        for my $prime (@primes) { next NUMBER if $number % $prime == 0 }
        push @primes, $number;
    }
    return @primes;
}

my ($inet, $stream) = (2, 1);
socket(my $server, $inet, $stream, 0) or die "socket: $!";
bind($server, pack('S n a4 x8', $inet, $port, "\0" x 4)) or die "bind: $!";
listen($server, 5) or die "listen: $!";
print "perl $]: a web server on port $port, for $pages page\n";
alarm 120;    # nobody asks
while ($pages > 0) {
    accept(my $client, $server) or die "accept: $!";
    my ($limit) = (readline($client) // '') =~ m{^GET /primes/(\d{1,4}) } or next;
    while (defined(my $line = readline $client)) { last if $line =~ /^\r?$/ }
    my $page = "the primes below $limit are @{[primes_below($limit)]}\n";
    print $client "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ", length $page, "\r\n\r\n", $page;
    close $client;
    print "GET /primes/$limit\n";
    $pages--;
}
