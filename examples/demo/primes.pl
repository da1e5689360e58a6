# SPDX-License-Identifier: Apache-2.0
# Prints the primes below its argument.
my $limit = shift // 40;
my @primes;
NUMBER: for my $number (2 .. $limit - 1) {
    for my $prime (@primes) { next NUMBER if $number % $prime == 0 }
    push @primes, $number;
}
print "perl $]: the primes below $limit are @primes\n";
